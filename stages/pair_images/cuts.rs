//! Cutting of frames into crops.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::table::{Rows, gather, part_files, read_columns};
use image::RgbImage;
use rayon::prelude::*;

use crate::lib::columns::{read_images, read_strings};
use crate::lib::picture::{decode, square_crop};

/// Number of frames that are decoded together. A panorama of the paper's size takes 27 MB.
const BATCH: usize = 8;

/// Positions of the images that need a frame, by frame.
pub(super) type Users<'a> = HashMap<&'a str, Vec<usize>>;

/// Crops of a frame, from left to right.
pub(super) type Cut = Vec<RgbImage>;

/// Calls `each` with the frames that are in `wanted`, in the order of their keys. Each frame is cut into
/// `crops` squares of `side` pixels. Other frames are not read.
///
/// # Errors
/// Returns an error if a frame cannot be decoded, or `each` fails.
pub(super) fn read_cuts(
    table: &Path,
    wanted: &Users,
    crops: u32,
    side: u32,
    mut each: impl FnMut(&str, Cut) -> Result<()>,
) -> Result<()> {
    let parts = part_files(table)?;
    let mut frames: Vec<(String, u32)> = Vec::new();
    let mut files: Vec<Rows> = Vec::new();
    for (part, path) in parts.iter().enumerate() {
        let ids = read_strings(&read_columns(path, &["frame_id"])?, "frame_id")?;
        let there = ids.into_iter().zip(0..).filter(|(id, _)| wanted.contains_key(id.as_str()));
        let (ids, rows): (Vec<String>, Vec<u64>) = there.unzip();
        frames.extend(ids.into_iter().map(|id| (id, part as u32)));
        files.push(Rows { path, chosen: Some(rows) });
    }
    frames.sort();
    let order: Vec<u32> = frames.iter().map(|(_, part)| *part).collect();
    gather(&files, &["frame_id", "image"], &order, BATCH, |rows| -> Result<()> {
        let ids = read_strings(&rows, "frame_id")?;
        let cut = |(bytes, id): (&&[u8], &String)| {
            let picture = decode(bytes, id, table)?;
            (0..crops).into_par_iter().map(|crop| square_crop(&picture, crop, crops, side)).collect()
        };
        let cuts: Vec<Cut> =
            read_images(&rows, "image")?.par_iter().zip(&ids).map(cut).collect::<Result<_>>()?;
        ids.iter().zip(cuts).try_for_each(|(id, cut)| each(id, cut))
    })
}
