//! RGB pictures with 8 bits per channel.

use std::path::Path;

use anyhow::{Result, ensure};
use callsheet_worker::user_error;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::png::{CompressionType, FilterType as Prediction, PngEncoder};
use image::imageops;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

pub(crate) use callsheet_pictures::{Traits, is_image};

/// Decodes an image file, which is row `id` of the table at `path`, as [`read`] does.
///
/// # Errors
/// Returns an error in the cases of [`read`].
pub(crate) fn decode(bytes: &[u8], id: &str, path: &Path) -> Result<RgbImage> {
    let decoded = callsheet_pictures::decode(bytes).map_err(|error| {
        user_error(
            format!("image `{id}` of `{}` {error}", path.display()),
            "replace or remove the source file of the image; if the table is damaged, delete the table and \
             run again",
        )
    })?;
    Ok(decoded.0)
}

/// Decodes an image file as viewers show it: rotated according to EXIF, on white, as RGB with 8 bits per
/// channel.
///
/// # Errors
/// Returns an error if the format of the file is not supported, or if the file is damaged or too large.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<RgbImage> {
    Ok(read_with_traits(bytes, path)?.0)
}

/// Decodes an image file as [`read`] does, and also returns its unusual properties.
///
/// # Errors
/// Returns an error in the cases of [`read`].
pub(crate) fn read_with_traits(bytes: &[u8], path: &Path) -> Result<(RgbImage, Traits)> {
    callsheet_pictures::decode(bytes)
        .map_err(|error| user_error(format!("`{}` {error}", path.display()), error.help()))
}

/// Splits a picture into its left and right half.
///
/// # Errors
/// Returns an error if the width is odd.
pub(crate) fn halves(picture: &RgbImage, path: &Path) -> Result<(RgbImage, RgbImage)> {
    let (width, height) = picture.dimensions();
    if !width.is_multiple_of(2) || width == 0 {
        return Err(user_error(
            format!("`{}` has {width}x{height} pixels, so it has no halves of equal width", path.display()),
            "crop the image to an even width, or remove the file",
        ));
    }
    let half = |left: u32| imageops::crop_imm(picture, left, 0, width / 2, height).to_image();
    Ok((half(0), half(width / 2)))
}

/// Encodes a picture as PNG, with fast compression.
///
/// # Errors
/// Returns an error if the picture is empty.
pub(crate) fn encode_png(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, Prediction::Adaptive);
    encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// Number of square crops of a panorama: round(width / height), at least one.
pub(crate) fn auto_crops(width: u32, height: u32) -> u32 {
    (f64::from(width) / f64::from(height)).round().max(1.0) as u32
}

/// Crop `index` of `count`: the central square of a column of the picture, resized to `side` pixels by
/// antialiased bicubic interpolation.
///
/// # Errors
/// Returns an error if the columns would be empty.
pub(crate) fn square_crop(picture: &RgbImage, index: u32, count: u32, side: u32) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    ensure!(count <= width, "{count} crops do not fit into a picture that is {width} pixels wide");
    let left = (u64::from(width) * u64::from(index) / u64::from(count)) as u32;
    let right = (u64::from(width) * u64::from(index + 1) / u64::from(count)) as u32;
    let square = (right - left).min(height);
    let (x, y) = (left + (right - left - square) / 2, (height - square) / 2);
    let crop = imageops::crop_imm(picture, x, y, square, square).to_image();
    resized(crop, side, side)
}

/// Arranges pictures of one size in a grid. Empty places stay white.
pub(crate) fn montage(rows: &[Vec<Option<RgbImage>>]) -> RgbImage {
    let (width, height) = rows.iter().flatten().flatten().next().map_or((0, 0), RgbImage::dimensions);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let mut canvas = RgbImage::from_pixel(width * columns, height * rows.len() as u32, image::Rgb([255; 3]));
    for (y, row) in (0..).zip(rows) {
        for (x, picture) in (0..).zip(row) {
            if let Some(picture) = picture {
                imageops::replace(&mut canvas, picture, x * i64::from(width), y * i64::from(height));
            }
        }
    }
    canvas
}

/// Resizes a picture by antialiased bicubic interpolation.
///
/// # Errors
/// Returns an error if a side is 0.
pub(crate) fn resized(picture: RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    if picture.dimensions() == (width, height) {
        return Ok(picture);
    }
    ensure!(width > 0 && height > 0, "{width}x{height} pixels is not a valid size of a picture");
    let mut resized = RgbImage::new(width, height);
    // The types fix the format of pixels. The method for any format would compile vector code for thirteen
    // formats.
    let source = TypedImageRef::<U8x3>::from_buffer(picture.width(), picture.height(), picture.as_raw())?;
    let mut target = TypedImage::<U8x3>::from_buffer(width, height, &mut resized)?;
    let bicubic = ResizeAlg::Convolution(FilterType::CatmullRom);
    Resizer::new().resize_typed(&source, &mut target, &ResizeOptions::new().resize_alg(bicubic))?;
    Ok(resized)
}

/// Reduces a picture by antialiased bicubic interpolation if a side is longer than `most` pixels; 0 means no
/// limit.
///
/// # Errors
/// Returns an error if a side is 0.
pub(crate) fn within(picture: RgbImage, most: u32) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if most == 0 || longest <= most {
        return Ok(picture);
    }
    let side =
        |pixels: u32| (f64::from(pixels) * f64::from(most) / f64::from(longest)).round().max(1.0) as u32;
    resized(picture, side(width), side(height))
}

/// BLAKE3 hash of size and pixels. It is equal for equal pictures, regardless of their encoding.
pub(crate) fn content_digest(picture: &RgbImage) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&picture.width().to_le_bytes()).update(&picture.height().to_le_bytes());
    hasher.update(picture.as_raw());
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrupt_image_is_named_with_its_table() {
        let mut bytes = encode_png(&RgbImage::new(8, 8)).expect("a PNG");
        decode(&bytes, "a.mp4#000001", Path::new("frames.parquet")).expect("whole");
        let middle = bytes.len() / 2;
        bytes.truncate(middle);
        let error = decode(&bytes, "a.mp4#000001", Path::new("frames.parquet")).expect_err("truncated");
        assert!(error.to_string().contains("image `a.mp4#000001` of `frames.parquet` is damaged"), "{error}");
    }

    #[test]
    fn the_paper_s_panorama_gives_8_crops_and_a_wide_video_2() {
        assert_eq!(auto_crops(8280, 1080), 8);
        assert_eq!(auto_crops(1920, 1080), 2);
        assert_eq!(auto_crops(480, 640), 1);
    }

    #[test]
    fn crops_are_the_centre_squares_of_equal_columns() {
        let panorama = RgbImage::from_fn(30, 8, |x, _| image::Rgb([x as u8, 0, 0]));
        let crop = square_crop(&panorama, 1, 3, 8).expect("a crop");
        assert_eq!(crop.dimensions(), (8, 8));
        assert_eq!(crop.get_pixel(0, 0)[0], 11);
        assert!(square_crop(&panorama, 0, 31, 8).is_err());
    }

    #[test]
    fn png_is_lossless_and_the_digest_is_of_the_pixels() {
        let picture = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let again = decode(&encode_png(&picture).expect("encoded"), "a", Path::new("b")).expect("decoded");
        assert_eq!(content_digest(&again), content_digest(&picture));
        assert_ne!(content_digest(&RgbImage::new(3, 5)), content_digest(&RgbImage::new(5, 3)));
    }
}
