//! Diversity of the images in one folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::user_error_with_code;
use rayon::prelude::*;
use serde::Serialize;
use tch::Tensor;

use super::common::{check_sizes, finite_mean};
use crate::commands::images::{opened, pictures};
use crate::commands::paths::path_error;
use crate::commands::terminal::progress;
use crate::lib::data::to_tensor;
use crate::lib::lpips::{Distance, Diversity};
use crate::lib::names::is_hidden;
use crate::lib::picture::{is_image, resized};
use callsheet_worker::print::plain;

/// Largest number of images in one folder. The VGG-16 features of an image take 34 MB, and those of all
/// images stay in memory to be compared with each other.
const MOST: usize = 100;

/// Measurements of a folder.
#[derive(Serialize)]
pub(super) struct Line {
    folder: String,
    images: usize,
    /// Mean LPIPS between each image and the next by name.
    consecutive: f64,
    /// Mean LPIPS between all pairs of images.
    all_pairs: f64,
}

/// Finds the images in each folder of `outputs`, or in `outputs` itself if it contains no folder.
///
/// # Errors
/// Returns an error if `outputs` is not a folder or contains both folders and images. Also returns an error
/// if a folder does not contain two to a hundred images.
pub(super) fn find(outputs: &Path) -> Result<Vec<(PathBuf, Vec<PathBuf>)>> {
    if outputs.is_file() {
        let message = format!("`{}` is a single image", outputs.display());
        return Err(user_error_with_code(
            Code::MissingArgument,
            message,
            "name a reference image, too, or name a folder of images",
        ));
    }
    let entries: Vec<PathBuf> = fs::read_dir(outputs)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(|error| path_error("cannot list", outputs, error))?;
    let hidden = |path: &&PathBuf| path.file_name().is_some_and(|name| is_hidden(Path::new(name)));
    let mut folders: Vec<PathBuf> =
        entries.iter().filter(|path| path.is_dir() && !hidden(path)).cloned().collect();
    folders.sort();
    if folders.is_empty() {
        folders.push(outputs.to_owned());
    } else if let Some(image) = entries.iter().find(|path| is_image(path) && !hidden(path)) {
        return Err(user_error_with_code(
            Code::Unsupported,
            format!(
                "`{}` contains both images (`{}`) and folders (`{}`)",
                outputs.display(),
                image.display(),
                folders[0].display()
            ),
            "measure each folder alone, or move the image into a folder with the other outputs for the \
             same input",
        ));
    }
    let found = |folder: PathBuf| {
        let images = pictures(&folder)?;
        if !(2..=MOST).contains(&images.len()) {
            return Err(user_error_with_code(
                Code::Unsupported,
                format!(
                    "diversity requires 2 to {MOST} outputs for one input, but the number of images in \
                     `{}` is {}",
                    folder.display(),
                    images.len()
                ),
                "put the outputs of each input into a separate folder, or name reference images, too",
            ));
        }
        Ok((folder, images))
    };
    folders.into_iter().map(found).collect()
}

/// Measures the distances between the images of each folder.
///
/// # Errors
/// Returns an error if an image cannot be read, or differs in size from the others in its folder.
pub(super) fn measure(folders: &[(PathBuf, Vec<PathBuf>)], distance: &Distance) -> Result<Vec<Line>> {
    let side = distance.side;
    let line = |(done, (folder, paths)): (usize, &(PathBuf, Vec<PathBuf>))| {
        let read = |path: &PathBuf| {
            let image = opened(path)?;
            // Each image is resized as soon as it is decoded, so that few are in memory at full size.
            let size = image.dimensions();
            Ok((size, if side == 0 { image } else { resized(image, side, side)? }))
        };
        let images = paths.par_iter().map(read).collect::<Result<Vec<_>>>()?;
        for (path, (size, _)) in paths.iter().zip(&images) {
            check_sizes([&paths[0], path], [images[0].0, *size])?;
        }
        let images = Tensor::stack(&images.iter().map(|(_, image)| to_tensor(image)).collect::<Vec<_>>(), 0);
        let Diversity { consecutive, all_pairs } = distance.features(&images)?.diversity();
        progress(done + 1, folders.len(), "folders");
        Ok(Line { folder: folder.display().to_string(), images: paths.len(), consecutive, all_pairs })
    };
    folders.iter().enumerate().map(line).collect()
}

/// Formats a line for each folder, and one for their means.
pub(super) fn text(lines: &[Line]) -> String {
    let line = |name: &str, [consecutive, all]: [f64; 2]| {
        format!("consecutive {consecutive:.4}  all pairs {all:.4}  {}", plain(name))
    };
    let of = |one: &Line| line(&one.folder, [one.consecutive, one.all_pairs]);
    let mut text: Vec<String> = lines.iter().map(of).collect();
    if lines.len() > 1 {
        let mean = |of: fn(&Line) -> f64| finite_mean(lines.iter().map(of)).unwrap_or(f64::NAN);
        text.push(line("mean", [mean(|one| one.consecutive), mean(|one| one.all_pairs)]));
    }
    text.join("\n")
}
