//! Check of the raw files of a dataset.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use rayon::prelude::*;

use super::expected::{Raw, raw};
use super::left_out::left_out;
use super::numbers::gaps;
use super::report::{Finding, Report};
use crate::commands::exit::{FOUND, REFUSED};
use crate::commands::terminal::progress;
use crate::lib::names::is_hidden;
use crate::lib::picture::{Traits, content_digest, halves, is_image, read_with_traits};
use crate::lib::splits::of_folder;
use crate::lib::video::{Decoding, damage_of_shown, decode, index};

/// Findings about one file.
#[derive(Default)]
struct Looked {
    findings: Vec<(&'static str, String)>,
    /// Width and height in pixels.
    size: Option<(u32, u32)>,
    /// Digest of an image's pixels; none for a video.
    digest: Option<String>,
    frames: usize,
    traits: Traits,
}

/// Checks the dataset `name` and prints the report as text or as JSON. Returns the exit code.
///
/// # Errors
/// Returns an error if the engine cannot be started, or `[metadata]` of the dataset is malformed.
pub(super) fn check(name: &str, json: bool) -> Result<u8> {
    let Some(mut raw) = raw(name)? else { return Ok(REFUSED) };
    raw.declared.files.retain(|file| !is_hidden(Path::new(&file.name)));
    let files = &raw.declared.files;
    let paired = raw.declared.import == "pairs";
    let done = AtomicUsize::new(0);
    let looked: Vec<Looked> = files
        .par_iter()
        .map(|file| {
            let looked = look(&file.path, paired);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(100) || done == files.len() {
                progress(done, files.len(), "files");
            }
            looked
        })
        .collect();
    let mut report = report(name, &raw, looked, paired);
    report.add_left_out(left_out(files)?);
    if !paired {
        let images = files.iter().map(|file| file.name.as_str()).filter(|name| is_image(Path::new(name)));
        report.add_gaps(gaps(images));
    }
    report.print(json);
    Ok(if report.findings.is_empty() { 0 } else { FOUND })
}

fn look(path: &Path, paired: bool) -> Looked {
    let mut looked = Looked::default();
    let outcome = if is_image(path) {
        look_at_image(path, paired, &mut looked)
    } else {
        look_at_video(path, &mut looked)
    };
    if let Err(error) = outcome {
        looked.findings.push(("unreadable", format!("{error:#}")));
    }
    looked
}

fn look_at_image(path: &Path, paired: bool, looked: &mut Looked) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (picture, traits) = read_with_traits(&bytes, path)?;
    looked.size = Some(picture.dimensions());
    looked.digest = Some(content_digest(&picture));
    looked.frames = 1;
    looked.traits = traits;
    if paired {
        match halves(&picture, path) {
            Ok((left, right)) => {
                for (side, half) in [("left", left), ("right", right)] {
                    if half.pixels().all(|pixel| pixel == half.get_pixel(0, 0)) {
                        looked.findings.push(("blank half", format!("its {side} half has a single colour")));
                    }
                }
            }
            Err(error) => looked.findings.push(("no halves", error.to_string())),
        }
    }
    Ok(())
}

fn look_at_video(path: &Path, looked: &mut Looked) -> Result<()> {
    let index = index(path)?;
    looked.frames = index.times.len();
    let how = Decoding { counted_times: index.counted_times(), ..Decoding::check() };
    let decoded = decode(path, &how, |_| Ok(()))?;
    looked.size = decoded.frames.first().map(|(_, size)| *size);
    if let Some(damage) = damage_of_shown(path, &index, &decoded)? {
        looked.findings.push(("damaged", damage));
    }
    if let Some((_, other)) = decoded.frames.iter().find(|(_, size)| Some(*size) != looked.size) {
        looked
            .findings
            .push(("other size", format!("its size changes within the video to {}x{}", other.0, other.1)));
    }
    Ok(())
}

fn report(name: &str, raw: &Raw, looked: Vec<Looked>, paired: bool) -> Report {
    let mut report = Report::new(name, raw);
    let mut digests: BTreeMap<String, &str> = BTreeMap::new();
    let mut sizes: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    looked.iter().filter_map(|file| file.size).for_each(|size| *sizes.entry(size).or_default() += 1);
    let wanted = match raw.metadata.size {
        Some([width, height]) => Some((width, height)),
        None => sizes.iter().max_by_key(|(_, count)| **count).map(|(size, _)| *size),
    };
    for (file, looked) in raw.declared.files.iter().zip(looked) {
        let file = &file.name;
        let mut find = |kind: &str, detail: String| {
            report.findings.push(Finding { file: file.clone(), kind: kind.to_owned(), detail });
        };
        looked.findings.into_iter().for_each(|(kind, detail)| find(kind, detail));
        if let (Some(size), Some(wanted)) = (looked.size, wanted)
            && size != wanted
        {
            find("other size", format!("{}x{}, not {}x{}", size.0, size.1, wanted.0, wanted.1));
        }
        if let Some(digest) = looked.digest {
            if let Some(first) = digests.get(&digest) {
                let leak = paired && of_folder(first) != of_folder(file);
                let split = if leak { ", which is in another split" } else { "" };
                find("duplicate", format!("the same pixels as {first}{split}"));
            } else {
                digests.insert(digest, file);
            }
        }
        report.frames += looked.frames;
        looked.traits.names().for_each(|name| *report.traits.entry(name.to_owned()).or_default() += 1);
        if paired {
            let folder = || file.split_once('/').map_or("", |(folder, _)| folder);
            *report.splits.entry(of_folder(file).unwrap_or_else(folder).to_owned()).or_default() += 1;
        }
    }
    report.sizes = sizes.into_iter().map(|((width, height), n)| (format!("{width}x{height}"), n)).collect();
    report.count(raw);
    report
}
