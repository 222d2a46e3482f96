//! Comparison of images with reference images.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::user_error_with_code;
use image::RgbImage;
use rayon::prelude::*;
use serde::Serialize;
use tch::Tensor;

use super::common::{check_sizes, finite_mean};
use crate::commands::images::{opened, pictures};
use crate::commands::terminal::progress;
use crate::lib::data::to_tensor;
use crate::lib::lpips::Distance;
use crate::lib::metrics::{psnr, ssim};
use callsheet_worker::print::plain;

/// Measurements of a pair.
#[derive(Serialize)]
pub(super) struct Line {
    image: String,
    /// PSNR in dB; infinite, which JSON shows as null, for identical images.
    #[serde(skip_serializing_if = "Option::is_none")]
    psnr: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssim: Option<f64>,
    lpips: f64,
}

/// Number of pairs that are decoded together.
const BATCH: usize = 16;

/// Pairs each image with the reference image of the same name.
///
/// # Errors
/// Returns an error if an image has no counterpart, or only one of the paths is a folder.
pub(super) fn find(images: &Path, wanted: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    if images.is_dir() != wanted.is_dir() {
        let is = |path: &Path| if path.is_dir() { "is a folder" } else { "is not a folder" };
        let (a, b) = (images.display(), wanted.display());
        return Err(user_error_with_code(
            Code::Unsupported,
            format!("`{a}` {}, but `{b}` {}", is(images), is(wanted)),
            "name two images, or two folders",
        ));
    }
    let (images_found, wanted_found) = (pictures(images)?, pictures(wanted)?);
    if !images.is_dir() {
        return Ok(images_found.into_iter().zip(wanted_found).collect());
    }
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_owned();
    let by_name: BTreeMap<OsString, PathBuf> =
        wanted_found.into_iter().map(|path| (stem(&path), path)).collect();
    let counterpart = |path: PathBuf| match by_name.get(&stem(&path)) {
        Some(other) => Ok((path, other.clone())),
        None => Err(user_error_with_code(
            Code::Unsupported,
            format!("`{}` contains no image with the name of `{}`", wanted.display(), path.display()),
            "add a reference image with this name; the extension may differ",
        )),
    };
    images_found.into_iter().map(counterpart).collect()
}

/// Measures PSNR and SSIM, unless `lpips_alone`, and the LPIPS distance of each pair.
///
/// # Errors
/// Returns an error if an image cannot be read, or differs in size from its counterpart.
pub(super) fn measure(
    pairs: &[(PathBuf, PathBuf)],
    distance: &Distance,
    lpips_alone: bool,
) -> Result<Vec<Line>> {
    let mut lines = Vec::with_capacity(pairs.len());
    for batch in pairs.chunks(BATCH) {
        lines.extend(of_batch(batch, distance, lpips_alone)?);
        progress(lines.len(), pairs.len(), "pairs");
    }
    Ok(lines)
}

fn of_batch(pairs: &[(PathBuf, PathBuf)], distance: &Distance, lpips_alone: bool) -> Result<Vec<Line>> {
    let pictures: Vec<(RgbImage, RgbImage)> =
        pairs.par_iter().map(|(a, b)| Ok((opened(a)?, opened(b)?))).collect::<Result<_>>()?;
    for ((a, b), (x, y)) in pairs.iter().zip(&pictures) {
        check_sizes([a, b], [x, y].map(RgbImage::dimensions))?;
    }
    let mut lines = Vec::with_capacity(pairs.len());
    // Consecutive pairs of one size are measured together.
    for run in pictures.chunk_by(|a, b| a.0.dimensions() == b.0.dimensions()) {
        let stacked = |half: fn(&(RgbImage, RgbImage)) -> &RgbImage| {
            Tensor::stack(&run.iter().map(|pair| to_tensor(half(pair))).collect::<Vec<_>>(), 0)
        };
        let (x, y) = (stacked(|pair| &pair.0), stacked(|pair| &pair.1));
        let distances = distance.of(&x, &y)?;
        let [psnrs, ssims] = if lpips_alone { [vec![], vec![]] } else { [psnr(&x, &y)?, ssim(&x, &y)?] };
        for (n, lpips) in distances.into_iter().enumerate() {
            let image = pairs[lines.len()].0.display().to_string();
            let (psnr, ssim) = (psnrs.get(n).copied(), ssims.get(n).copied());
            lines.push(Line { image, psnr, ssim, lpips });
        }
    }
    Ok(lines)
}

/// Formats a line for each pair, and one for their means.
pub(super) fn text(lines: &[Line]) -> String {
    let mut text: Vec<String> =
        lines.iter().map(|line| shown(&line.image, line.psnr, line.ssim, line.lpips)).collect();
    if lines.len() > 1 {
        let mean = |value: fn(&Line) -> Option<f64>| finite_mean(lines.iter().filter_map(value));
        let lpips = mean(|line| Some(line.lpips)).unwrap_or_default();
        text.push(shown("mean", mean(|line| line.psnr), mean(|line| line.ssim), lpips));
        let identical = lines.iter().filter(|line| line.psnr.is_some_and(f64::is_infinite)).count();
        if identical > 0 {
            text.push(format!("{identical} identical: their PSNR is infinite and not part of the mean"));
        }
    }
    text.join("\n")
}

/// Formats the measurements of a pair as a line of text.
fn shown(name: &str, psnr: Option<f64>, ssim: Option<f64>, lpips: f64) -> String {
    let of = |name: &str, value: Option<f64>, digits: usize| {
        value.map(|value| format!("{name} {value:.digits$}  ")).unwrap_or_default()
    };
    format!("{}{}LPIPS {lpips:.4}  {}", of("PSNR", psnr, 2), of("SSIM", ssim, 4), plain(name))
}
