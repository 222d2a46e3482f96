//! Aligned renderings: images that show the same contents in several styles.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::error::list;
use callsheet_worker::protocol::RequestInput;
use callsheet_worker::user_error;
use image::{Rgb, RgbImage, imageops};
use rayon::prelude::*;

use crate::lib::names::is_hidden;
use crate::lib::picture::{read, resized};

/// Largest number of images that form one content image: one for each colour channel.
const CHANNELS: usize = 3;

/// Largest number of pixels of a resized image, as of one that is read.
const MOST_PIXELS: f64 = 270e6;

/// Difference of two ratios of width to height from which two images show different areas.
const TOLERANCE: f64 = 0.01;

/// Files of one kind: renderings by content and style, or layers by content and layer.
pub(crate) type Grouped = BTreeMap<String, BTreeMap<String, usize>>;

/// Returns true if each style has a folder. Otherwise each style is one large image.
pub(crate) fn have_folders(names: &[String]) -> bool {
    visible(names).any(|(_, name)| name.contains('/'))
}

/// Groups files by the name of their content, and by their style or layer. In folders, the first folder is the style, and
/// the rest of the path without its extension is the content. Without folders, the name without its extension is the style
/// of the only content, which has no name.
///
/// # Errors
/// Returns an error if two files have the same style and content.
pub(crate) fn group(names: &[String], folders: bool) -> Result<Grouped> {
    let mut grouped = Grouped::new();
    for (at, name) in visible(names) {
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let (style, content) = match folders {
            true => stem.split_once('/').unwrap_or(("", stem)),
            false => (stem, ""),
        };
        let other = grouped.entry(content.to_owned()).or_default().insert(style.to_owned(), at);
        if let Some(other) = other {
            return Err(user_error(
                format!("`{}` and `{name}` have the same style and content", names[other]),
                "remove one of them: the extension of a file does not distinguish images",
            ));
        }
    }
    Ok(grouped)
}

fn visible(names: &[String]) -> impl Iterator<Item = (usize, &str)> {
    let names = names.iter().map(String::as_str).enumerate();
    names.filter(|(_, name)| !is_hidden(Path::new(name)))
}

/// Reads a content image A, `width` pixels wide; 0 keeps the width of its first layer. A single layer is used as it is.
/// Two or three layers become the red, green and blue channel of A, in the order of their names.
///
/// # Errors
/// Returns an error if a layer cannot be read, if there are too many layers, or if they have different shapes.
pub(crate) fn content(
    files: &RequestInput,
    layers: &BTreeMap<String, usize>,
    width: u32,
) -> Result<RgbImage> {
    let names: Vec<&str> = layers.values().map(|at| files.names[*at].as_str()).collect();
    if layers.len() > CHANNELS {
        return Err(user_error(
            format!("{} images form one content, but at most {CHANNELS} can: {}", names.len(), list(names)),
            "list fewer files in the source `content` of the dataset",
        ));
    }
    let read_one = |at: &usize| read_file(&files.paths[*at]);
    let mut pictures = layers.values().map(read_one).collect::<Result<Vec<_>>>()?.into_iter();
    let first = pictures.next().context("a content has at least one layer")?;
    let first = scaled(first, width)?;
    let (width, height) = first.dimensions();
    let others =
        pictures.zip(&names[1..]).map(|(other, name)| aligned(other, name, (width, height), names[0]));
    let others = others.collect::<Result<Vec<_>>>()?;
    if others.is_empty() {
        return Ok(first);
    }
    let layers: Vec<Vec<u8>> =
        std::iter::once(&first).chain(&others).map(|layer| imageops::grayscale(layer).into_raw()).collect();
    let at = |x: u32, y: u32| (y * width + x) as usize;
    let channel = |channel: usize, place: usize| layers.get(channel).map_or(0, |layer| layer[place]);
    Ok(RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|n| channel(n, at(x, y))))))
}

/// Reads a rendering in the size of its content image.
///
/// # Errors
/// Returns an error if the file cannot be read, or shows another area than the content image.
pub(crate) fn rendering(path: &Path, name: &str, content: &RgbImage, of: &str) -> Result<RgbImage> {
    aligned(read_file(path)?, name, content.dimensions(), of)
}

fn read_file(path: &Path) -> Result<RgbImage> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    read(&bytes, path)
}

fn scaled(picture: RgbImage, width: u32) -> Result<RgbImage> {
    if width == 0 {
        return Ok(picture);
    }
    let height = f64::from(picture.height()) * f64::from(width) / f64::from(picture.width());
    let height = height.round().max(1.0);
    if f64::from(width) * height > MOST_PIXELS {
        let (own_width, own_height) = picture.dimensions();
        return Err(user_error(
            format!("an image of {own_width}x{own_height} pixels would have {width}x{height} pixels"),
            "set list_renderings.width to a smaller value",
        ));
    }
    resized(picture, width, height as u32)
}

fn aligned(picture: RgbImage, name: &str, (width, height): (u32, u32), other: &str) -> Result<RgbImage> {
    let (own_width, own_height) = picture.dimensions();
    let ratio = |width: u32, height: u32| f64::from(width) / f64::from(height);
    let (own, wanted) = (ratio(own_width, own_height), ratio(width, height));
    // One pixel more or less does not change the shape of a small image.
    let pixel = wanted / f64::from(own_width.min(own_height));
    if (own - wanted).abs() > (TOLERANCE * wanted).max(pixel) {
        return Err(user_error(
            format!(
                "`{name}` has {own_width}x{own_height} pixels, so it cannot show the same area as `{other}`, \
                 which has {width}x{height} after resizing"
            ),
            "use images with equal projection and borders; only their resolutions may differ",
        ));
    }
    resized(picture, width, height)
}

/// Returns the square of `side` pixels whose left upper corner is at `place`.
pub(crate) fn cut(picture: &RgbImage, (x, y): (u32, u32), side: u32) -> RgbImage {
    imageops::crop_imm(picture, x, y, side, side).to_image()
}

/// Hash of the layers of a content, as a text.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub(crate) fn digest(files: &RequestInput, layers: &BTreeMap<String, usize>) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for at in layers.values() {
        let path = &files.paths[*at];
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        hasher.update(blake3::hash(&bytes).as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Standard deviation of the channel that varies most in a picture, 0 to 127.5.
pub(crate) fn contrast(picture: &RgbImage) -> f64 {
    let count = picture.pixels().len() as f64;
    let deviation = |channel: usize| {
        let values = || picture.pixels().map(|pixel| f64::from(pixel.0[channel]));
        let mean = values().sum::<f64>() / count;
        (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
    };
    (0..CHANNELS).into_par_iter().map(deviation).reduce(|| 0.0, f64::max)
}
