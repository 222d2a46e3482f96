//! Pairs from images with two halves side by side.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};
use image::RgbImage;
use serde::Deserialize;

use crate::lib::columns::{read_bools, read_strings};
use crate::lib::nn::generator::SIDE_MULTIPLE;
use crate::lib::overlap::overlap;
use crate::lib::pairs::{Encoded, Pair, check_side, pair_schema, rows};
use crate::lib::parts::Parts;
use crate::lib::picture::{halves, read, square_crop};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    content: String,
    side: u32,
}

/// Number of rows that are written together: enough for the writer, and few enough for the memory.
const ROWS: usize = 64;

/// A row of the list.
struct Image {
    id: String,
    file: String,
    split: String,
    for_style: bool,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if a file cannot be read, or has no two halves of equal size.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    check_side(params.side)?;
    let listed = list(job.input("images")?)?;
    let total = listed.len();
    let files = job.files("files")?;
    let paths: HashMap<&str, &Path> =
        files.names.iter().map(String::as_str).zip(files.paths.iter().map(|path| path.as_path())).collect();
    let mut parts = Parts::create(job, "pairs", pair_schema())?;
    let mut done = 0;
    let workers = (0..job.request.cpus.max(1)).map(|_| {
        |image: Image| {
            let path = paths.get(image.file.as_str());
            let path = path.ok_or_else(|| anyhow!("no file is named `{}`", image.file))?;
            pair(image, path, &params)
        }
    });
    let list = |give: &mut dyn FnMut(Image) -> Result<()>| listed.into_iter().try_for_each(give);
    overlap(list, workers.collect(), ROWS, |pairs| {
        done += pairs.len();
        parts.write(&rows(pairs)?)?;
        job.progress(done, total, "images");
        Ok(())
    })?;
    parts.end()
}

fn list(path: &Path) -> Result<Vec<Image>> {
    let rows = read_columns(path, &["image_id", "file", "split", "for_style"])?;
    let (ids, files) = (read_strings(&rows, "image_id")?, read_strings(&rows, "file")?);
    let (splits, for_style) = (read_strings(&rows, "split")?, read_bools(&rows, "for_style")?);
    let names = ids.into_iter().zip(files).zip(splits.into_iter().zip(for_style));
    Ok(names.map(|((id, file), (split, for_style))| Image { id, file, split, for_style }).collect())
}

fn pair(image: Image, path: &Path, params: &Params) -> Result<Pair> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (left, right) = halves(&read(&bytes, path)?, path)?;
    let (a, b) = if params.content == "left" { (left, right) } else { (right, left) };
    let (width, height) = a.dimensions();
    if params.side == 0 && (width != height || !width.is_multiple_of(SIDE_MULTIPLE as u32)) {
        return Err(user_error(
            format!(
                "the halves of `{}` have {width}x{height} pixels, but must be squares whose side is a \
                 multiple of {SIDE_MULTIPLE}",
                path.display()
            ),
            format!(
                "set pair_images.side to a multiple of {SIDE_MULTIPLE}, e.g. 256; the central square of each \
                 half is then resized to this side"
            ),
        ));
    }
    let encode = |half: RgbImage| {
        Encoded::new(&if params.side > 0 { square_crop(&half, 0, 1, params.side)? } else { half })
    };
    Ok(Pair {
        a: encode(a)?,
        b: encode(b)?,
        frame_id: image.id.clone(),
        image_id: image.id,
        crop: 0,
        split: image.split,
        time_s: 0.0,
        for_style: image.for_style,
    })
}
