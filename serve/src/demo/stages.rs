//! Stages of the demonstration that measure and choose photos.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use callsheet_worker::Job;
use callsheet_worker::curation::{Verdict, read};
use image::{Rgb, RgbImage};
use serde::Deserialize;

use super::paint::png;
use super::tables::{Column, Photos, floats, texts, write};

/// Measures sharpness and brightness of photos.
pub(super) fn measure(job: &Job) -> Result<()> {
    let photos = Photos::open(job.input("photos")?)?;
    let (mut sharpness, mut brightness, mut pixels) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..photos.ids.len() {
        let photo = photos.get(row)?;
        let grey: Vec<f32> = photo.pixels().map(grey).collect();
        let width = photo.width() as usize;
        let inner = width + 1..grey.len() - width - 1;
        let edges = inner.clone().map(|at| {
            (4.0 * grey[at] - grey[at - 1] - grey[at + 1] - grey[at - width] - grey[at + width]).abs()
        });
        sharpness.push(edges.sum::<f32>() / inner.len() as f32);
        brightness.push(grey.iter().sum::<f32>() / grey.len() as f32);
        pixels.push(blake3::hash(&photo).to_hex()[..16].to_owned());
        job.progress(row + 1, photos.ids.len(), "photos");
    }
    let columns = [
        Column::texts("photo_id", photos.ids),
        Column::floats("sharpness", sharpness),
        Column::floats("brightness", brightness),
        Column::texts("pixels", pixels),
    ];
    write(job, "measures", columns)
}

#[derive(Deserialize)]
struct Limits {
    blurred_share: f32,
    dark: f32,
}

/// Lists photos that are blurred, dark or repeated.
pub(super) fn audit(job: &Job) -> Result<()> {
    let Limits { blurred_share, dark } = job.params()?;
    let table = job.input("measures")?;
    let (ids, pixels) = (texts(table, "photo_id")?, texts(table, "pixels")?);
    let (sharpness, brightness) = (floats(table, "sharpness")?, floats(table, "brightness")?);
    let mut sorted = sharpness.clone();
    sorted.sort_by(f32::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let mut first: HashMap<&str, &str> = HashMap::new();
    let mut found: Vec<(&str, &str, String)> = Vec::new();
    for (row, id) in ids.iter().enumerate() {
        if brightness[row] < dark {
            found.push(("dark", id, format!("brightness {:.0} is below {dark:.0}", brightness[row])));
        } else if sharpness[row] < blurred_share * median {
            let limit = blurred_share * median;
            found.push(("blurred", id, format!("sharpness {:.1} is below {limit:.1}", sharpness[row])));
        }
        if let Some(earlier) = first.get(pixels[row].as_str()) {
            found.push(("repeated", id, format!("repeats {earlier}")));
        }
        first.entry(&pixels[row]).or_insert(id);
    }
    found.sort();
    let column = |part: fn(&(&str, &str, String)) -> String| found.iter().map(part).collect();
    let columns = [
        Column::texts("photo_id", column(|(_, id, _)| (*id).to_owned())),
        Column::texts("finding", column(|(finding, ..)| (*finding).to_owned())),
        Column::texts("reason", column(|(.., reason)| reason.clone())),
    ];
    write(job, "findings", columns)
}

/// Leaves out photos that a curator excluded.
pub(super) fn choose(job: &Job) -> Result<()> {
    let table = job.input("photos")?;
    let lines = job.optional("verdicts").map(read).transpose()?.unwrap_or_default();
    let excluded = lines.into_iter().filter(|line| line.verdict == Verdict::Exclude);
    let excluded: HashSet<String> = excluded.map(|line| line.key).collect();
    let rows = texts(table, "photo_id")?.into_iter().zip(texts(table, "digest")?);
    let (ids, digests) = rows.filter(|(id, _)| !excluded.contains(id)).unzip();
    write(job, "chosen", [Column::texts("photo_id", ids), Column::texts("digest", digests)])
}

/// Describes the colours of photos.
pub(super) fn describe(job: &Job) -> Result<()> {
    let ids = texts(job.input("chosen")?, "photo_id")?;
    let photos = Photos::open(job.input("photos")?)?;
    let (mut warmth, mut light, mut sky) = (Vec::new(), Vec::new(), Vec::new());
    for (done, id) in ids.iter().enumerate() {
        let photo = photos.named(id)?;
        let count = photo.pixels().len() as f32;
        let warm = photo.pixels().map(|Rgb([red, _, blue])| f32::from(*red) - f32::from(*blue));
        warmth.push(warm.sum::<f32>() / count);
        light.push(photo.pixels().map(grey).sum::<f32>() / count);
        let kind = match (warmth[done], light[done]) {
            (_, light) if light < 45.0 => "night",
            (warmth, _) if warmth > -25.0 => "dusk",
            _ => "day",
        };
        sky.push(kind.to_owned());
        job.progress(done + 1, ids.len(), "photos");
    }
    let columns = [
        Column::texts("photo_id", ids),
        Column::floats("warmth", warmth),
        Column::floats("light", light),
        Column::texts("sky", sky),
    ];
    write(job, "colours", columns)
}

/// Averages the photos of each kind of sky.
pub(super) fn average(job: &Job) -> Result<()> {
    let table = job.input("colours")?;
    let photos = Photos::open(job.input("photos")?)?;
    let mut sums: BTreeMap<String, (i32, Vec<u32>)> = BTreeMap::new();
    let mut size = (0, 0);
    for (id, sky) in texts(table, "photo_id")?.into_iter().zip(texts(table, "sky")?) {
        let photo = photos.named(&id)?;
        size = photo.dimensions();
        let (count, sum) = sums.entry(sky).or_insert_with(|| (0, vec![0; photo.len()]));
        *count += 1;
        sum.iter_mut().zip(photo.iter()).for_each(|(sum, channel)| *sum += u32::from(*channel));
    }
    let (mut skies, mut counts, mut images) = (Vec::new(), Vec::new(), Vec::new());
    for (sky, (count, sum)) in sums {
        let mean = sum.into_iter().map(|sum| (sum / count as u32) as u8).collect();
        images.push(png(&RgbImage::from_raw(size.0, size.1, mean).unwrap_or_default())?);
        skies.push(sky);
        counts.push(count);
    }
    let columns =
        [Column::texts("sky", skies), Column::integers("photos", counts), Column::images("image", images)];
    write(job, "averages", columns)
}

/// Brightness of a pixel, from 0 to 255.
fn grey(Rgb([red, green, blue]): &Rgb<u8>) -> f32 {
    0.299 * f32::from(*red) + 0.587 * f32::from(*green) + 0.114 * f32::from(*blue)
}
