//! Paints photos of a bay at all hours, some of them with faults.

use std::io::Cursor;

use anyhow::Result;
use callsheet_worker::Job;
use image::{ImageFormat, Rgb, RgbImage};
use serde::Deserialize;

use super::tables::{Column, write};

/// Size of a photo, in pixels.
const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

/// Fault of a photo.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Blurred,
    Dark,
    /// Shows the same pixels as the photo before.
    Repeated,
}

#[derive(Deserialize)]
struct Params {
    photos: u32,
    seed: u64,
}

pub(super) fn run(job: &Job) -> Result<()> {
    let Params { photos, seed } = job.params()?;
    let (mut ids, mut hours, mut digests, mut images) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut last = Vec::new();
    for number in 0..photos {
        let hour = 24.0 * number as f32 / photos as f32;
        let fault = fault(number, photos);
        if fault != Some(Fault::Repeated) {
            last = png(&photo(number, hour, seed, fault))?;
        }
        ids.push(format!("photo-{number:04}"));
        hours.push(hour);
        digests.push(blake3::hash(&last).to_hex()[..16].to_owned());
        images.push(last.clone());
        job.progress(number as usize + 1, photos as usize, "photos");
    }
    let columns = [
        Column::texts("photo_id", ids),
        Column::floats("hour", hours),
        Column::texts("digest", digests),
        Column::images("image", images),
    ];
    write(job, "photos", columns)
}

/// Faults are spread evenly: one in twelve photos has one.
fn fault(number: u32, photos: u32) -> Option<Fault> {
    let is_faulty = number % 12 == 7 && number + 1 < photos;
    is_faulty.then_some(match number / 12 % 5 {
        0 | 3 => Fault::Blurred,
        1 | 4 => Fault::Dark,
        _ => Fault::Repeated,
    })
}

fn photo(number: u32, hour: f32, seed: u64, fault: Option<Fault>) -> RgbImage {
    // From 0.4 at night to 1 at noon.
    let day = (0.5 - 0.7 * (hour / 24.0 * std::f32::consts::TAU).cos()).clamp(0.4, 1.0);
    let dusk = (1.0 - (day - 0.55).abs() * 4.0).max(0.0);
    let sky = [90.0 + 120.0 * dusk, 130.0 + 40.0 * dusk, 220.0 - 60.0 * dusk];
    let weather = noise(seed, number.into(), 4);
    let cloud = |x: f32, y: f32| {
        let wave = |scale: f32, n: u64| {
            (x / scale + noise(seed, number.into(), n) * 40.0 + (y / scale * 2.0).sin()).sin()
        };
        ((wave(31.0, 1) + wave(17.0, 2) + wave(61.0, 3)) / 3.0).max(0.0)
    };
    let hill = |x: f32| 120.0 - 22.0 * (x / 50.0).sin() - 12.0 * (x / 19.0).sin();
    let light = if fault == Some(Fault::Dark) { 0.08 } else { day };
    let mut photo = RgbImage::from_fn(WIDTH, HEIGHT, |column, line| {
        let (x, y) = (column as f32, line as f32);
        let grain = 18.0 * (noise(seed, u64::from(number) << 32 | u64::from(column), line.into()) - 0.5);
        let colour = if y < hill(x) {
            let cover = 40.0 * weather + 150.0 * weather * cloud(x, y) * (1.0 - y / 180.0);
            sky.map(|channel| channel + cover + 40.0 * y / 120.0)
        } else if y < 150.0 {
            let house = noise(7, u64::from(column / 14), u64::from(line / 10));
            [70.0 + 120.0 * house, 90.0 + 60.0 * house, 60.0 + 50.0 * house]
        } else {
            let glitter = 45.0 * ((x + 3.0 * y).sin() * (y / 2.0).sin()).abs();
            [30.0 + 60.0 * dusk + glitter, 80.0 + glitter, 130.0 - 20.0 * dusk + glitter]
        };
        Rgb(colour.map(|channel| (channel * light + grain).clamp(0.0, 255.0) as u8))
    });
    if fault == Some(Fault::Blurred) {
        photo = image::imageops::fast_blur(&photo, 4.0);
    }
    photo
}

/// Number from 0 to 1 that depends on its arguments only (SplitMix64).
fn noise(seed: u64, one: u64, other: u64) -> f32 {
    let mut state =
        seed ^ one.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ other.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((state ^ (state >> 31)) >> 40) as f32 / (1u64 << 24) as f32
}

pub(super) fn png(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}
