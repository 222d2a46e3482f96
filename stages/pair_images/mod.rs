//! Pairs of images: B is a crop of a panorama, and A is that crop of the temporally smoothed panorama.

mod cuts;
mod smooth;

use std::collections::HashMap;

use anyhow::{Result, ensure};
use arrow::array::AsArray;
use callsheet_worker::Job;
use callsheet_worker::table::read_columns;
use image::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;

use crate::lib::columns::{read_bools, read_float64s, read_int32s, read_strings};
use crate::lib::pairs::{Encoded, Pair, check_side, pair_schema, rows};
use crate::lib::parts::Parts;
use cuts::{Cut, Users, read_cuts};
use smooth::median;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    side: u32,
}

/// Image to create.
struct Image {
    id: String,
    frame_id: String,
    crop: i32,
    split: String,
    time_s: f64,
    for_style: bool,
    /// Frames whose median is A.
    window: Vec<String>,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if a frame is missing or cannot be decoded.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    check_side(params.side)?;
    let (images, crops) = read(job)?;
    let mut parts = Parts::create(job, "pairs", pair_schema())?;
    let users = users(&images);
    let mut waiting = Waiting::new(&images, &users);
    let mut done = 0;
    read_cuts(job.input("frames")?, &users, crops, params.side, |frame_id, cut| {
        for ready in waiting.take(frame_id, cut).chunks(rayon::current_num_threads() * 4) {
            write(&mut parts, &images, ready, &waiting.cuts)?;
            done += ready.len();
            job.progress(done, images.len(), "images");
        }
        waiting.forget();
        Ok(())
    })?;
    ensure!(done == images.len(), "{} of {} images lack a frame", images.len() - done, images.len());
    parts.end()
}

/// Reads the images in the order of their keys, and the number of crops of a frame.
fn read(job: &Job) -> Result<(Vec<Image>, u32)> {
    let rows = read_columns(job.input("images")?, &[])?;
    let (ids, frames) = (read_strings(&rows, "image_id")?, read_strings(&rows, "frame_id")?);
    let (crops, splits) = (read_int32s(&rows, "crop")?, read_strings(&rows, "split")?);
    let (times, for_style) = (read_float64s(&rows, "time_s")?, read_bools(&rows, "for_style")?);
    let windows = rows["window_ids"].as_list::<i32>();
    let count = read_int32s(&rows, "crops")?.first().map_or(1, |crops| *crops);
    let mut images = Vec::with_capacity(ids.len());
    for (row, (id, frame_id)) in ids.into_iter().zip(frames).enumerate() {
        let window = windows.value(row);
        let window: Vec<String> = window.as_string::<i32>().iter().flatten().map(str::to_owned).collect();
        let whole = window.contains(&frame_id) && (0..count).contains(&crops[row]);
        ensure!(whole, "image {id} is not a crop of a frame in its window: the list belongs to other frames");
        images.push(Image {
            id,
            frame_id,
            crop: crops[row],
            split: splits[row].clone(),
            time_s: times[row],
            for_style: for_style[row],
            window,
        });
    }
    Ok((images, count as u32))
}

fn users(images: &[Image]) -> Users<'_> {
    let mut users = Users::new();
    for (at, image) in images.iter().enumerate() {
        image.window.iter().for_each(|frame| users.entry(frame).or_default().push(at));
    }
    users
}

/// Images whose frames are not all read yet, and the frames that are kept for them.
struct Waiting<'a> {
    users: &'a Users<'a>,
    /// Number of frames that are not read yet, by image.
    missing: Vec<usize>,
    cuts: HashMap<&'a str, Cut>,
    /// Number of unfinished images that need a frame, by frame.
    needed: HashMap<&'a str, usize>,
    images: &'a [Image],
    spent: Vec<usize>,
}

impl<'a> Waiting<'a> {
    fn new(images: &'a [Image], users: &'a Users<'a>) -> Self {
        Self {
            needed: users.iter().map(|(frame, users)| (*frame, users.len())).collect(),
            missing: images.iter().map(|image| image.window.len()).collect(),
            cuts: HashMap::new(),
            users,
            images,
            spent: Vec::new(),
        }
    }

    /// Adds a frame. Returns the images whose frames are now complete.
    fn take(&mut self, frame_id: &str, cut: Cut) -> Vec<usize> {
        let Some((frame_id, users)) = self.users.get_key_value(frame_id) else { return Vec::new() };
        self.cuts.insert(frame_id, cut);
        let mut ready = Vec::new();
        for image in users {
            self.missing[*image] -= 1;
            if self.missing[*image] == 0 {
                ready.push(*image);
            }
        }
        self.spent.clone_from(&ready);
        ready
    }

    /// Removes the frames that only finished images needed.
    fn forget(&mut self) {
        for image in std::mem::take(&mut self.spent) {
            for frame in &self.images[image].window {
                if let Some(needed) = self.needed.get_mut(frame.as_str()) {
                    *needed -= 1;
                    if *needed == 0 {
                        self.cuts.remove(frame.as_str());
                    }
                }
            }
        }
    }
}

fn write(parts: &mut Parts, all: &[Image], ready: &[usize], cuts: &HashMap<&str, Cut>) -> Result<()> {
    let pair = |image: &usize| -> Result<Pair> {
        let image = &all[*image];
        let crop = |frame: &str| &cuts[frame][image.crop as usize];
        let window: Vec<&RgbImage> = image.window.iter().map(|frame| crop(frame)).collect();
        let b = Encoded::new(crop(&image.frame_id))?;
        Ok(Pair {
            image_id: image.id.clone(),
            frame_id: image.frame_id.clone(),
            crop: image.crop,
            split: image.split.clone(),
            time_s: image.time_s,
            for_style: image.for_style,
            // With a single frame, there is nothing to smooth, so A is B.
            a: if window.len() == 1 { b.clone() } else { Encoded::new(&median(&window))? },
            b,
        })
    };
    parts.write(&rows(ready.par_iter().map(pair).collect::<Result<_>>()?)?)
}
