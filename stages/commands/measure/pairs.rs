//! Comparison of images with reference images.

use std::collections::{BTreeMap, BTreeSet};
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
use crate::commands::images::{note, opened, pictures};
use crate::commands::terminal::progress;
use crate::lib::data::to_tensor;
use crate::lib::lpips::Distance;
use crate::lib::metrics::{psnr, ssim};
use crate::lib::picture::resized;
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

/// Largest number of pairs that are measured together.
const BATCH: usize = 16;

/// Largest number of pixels of the images that are measured together. Larger images are measured one pair at
/// a time.
const BATCH_PIXELS: usize = 16 << 20;

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
    let names: BTreeSet<OsString> = images_found.iter().map(|path| stem(path)).collect();
    let (by_name, alone): (Vec<PathBuf>, Vec<PathBuf>) =
        wanted_found.into_iter().partition(|path| names.contains(&stem(path)));
    note(&alone, &format!("references without an image of their name in `{}`", images.display()));
    let by_name: BTreeMap<OsString, PathBuf> = by_name.into_iter().map(|path| (stem(&path), path)).collect();
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
    let mut together = 1;
    while lines.len() < pairs.len() {
        let batch = &pairs[lines.len()..pairs.len().min(lines.len() + together)];
        let (measured, pixels) = of_batch(batch, distance, lpips_alone)?;
        lines.extend(measured);
        together = (BATCH_PIXELS / pixels.max(1)).clamp(1, BATCH);
        progress(lines.len(), pairs.len(), "pairs");
    }
    Ok(lines)
}

/// A pair that is measured, except for LPIPS.
struct Measured {
    psnr: Option<f64>,
    ssim: Option<f64>,
    /// The images in the size in which LPIPS compares them.
    compared: [RgbImage; 2],
    /// Number of pixels of each image.
    pixels: usize,
}

/// Measures some pairs. Also returns the largest number of pixels of an image.
fn of_batch(
    pairs: &[(PathBuf, PathBuf)],
    distance: &Distance,
    lpips_alone: bool,
) -> Result<(Vec<Line>, usize)> {
    let side = distance.side;
    let measured: Vec<Measured> =
        pairs.par_iter().map(|pair| of_pair(pair, side, lpips_alone)).collect::<Result<_>>()?;
    let mut lines = Vec::with_capacity(pairs.len());
    // Consecutive pairs of one size go through the network together.
    for run in measured.chunk_by(|a, b| a.compared[0].dimensions() == b.compared[0].dimensions()) {
        let stacked = |half: usize| {
            Tensor::stack(&run.iter().map(|pair| to_tensor(&pair.compared[half])).collect::<Vec<_>>(), 0)
        };
        for (pair, lpips) in run.iter().zip(distance.of(&stacked(0), &stacked(1))?) {
            let image = pairs[lines.len()].0.display().to_string();
            lines.push(Line { image, psnr: pair.psnr, ssim: pair.ssim, lpips });
        }
    }
    Ok((lines, measured.iter().map(|pair| pair.pixels).max().unwrap_or_default()))
}

fn of_pair((a, b): &(PathBuf, PathBuf), side: u32, lpips_alone: bool) -> Result<Measured> {
    let (x, y) = (opened(a)?, opened(b)?);
    check_sizes([a, b], [&x, &y].map(RgbImage::dimensions))?;
    let pixels = x.width() as usize * x.height() as usize;
    let measure =
        |of: fn(&RgbImage, &RgbImage) -> Result<f64>| (!lpips_alone).then(|| of(&x, &y)).transpose();
    let (psnr, ssim) = (measure(psnr)?, measure(ssim)?);
    // Images are resized at once, so that few are in memory in their full size.
    let fitted = |image: RgbImage| if side == 0 { Ok(image) } else { resized(image, side, side) };
    Ok(Measured { psnr, ssim, compared: [fitted(x)?, fitted(y)?], pixels })
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
