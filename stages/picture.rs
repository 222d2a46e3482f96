//! RGB pictures of 8 bits a channel.

use std::path::Path;

use anyhow::{Result, ensure};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::imageops;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use crate::worker::refusal;

/// Decodes a PNG or JPEG, which is row `id` of the table at `path`.
///
/// # Errors
/// When it is neither, or damaged.
pub fn decode(bytes: &[u8], id: &str, path: &Path) -> Result<RgbImage> {
    let image = image::load_from_memory(bytes).map_err(|error| {
        refusal(
            format!("image `{id}` of {} is unreadable: {error}", path.display()),
            "replace or leave out the file it was made from; if the table was damaged, delete it and run again",
        )
    })?;
    Ok(image.into_rgb8())
}

/// Encodes as PNG, quickly.
///
/// # Errors
/// When the picture is empty.
pub fn encode_png(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive);
    encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// Number of square crops of a panorama: round(width / height), at least one.
pub fn auto_crops(width: u32, height: u32) -> u32 {
    (f64::from(width) / f64::from(height)).round().max(1.0) as u32
}

/// Crop `index` of `count`: the centre square of that column, resized to `side` by antialiased
/// bicubic interpolation.
///
/// # Errors
/// When the columns would be empty.
pub fn square_crop(picture: &RgbImage, index: u32, count: u32, side: u32) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    ensure!(count <= width, "{count} crops of a picture {width} pixels wide");
    let left = (u64::from(width) * u64::from(index) / u64::from(count)) as u32;
    let right = (u64::from(width) * u64::from(index + 1) / u64::from(count)) as u32;
    let square = (right - left).min(height);
    let (x, y) = (left + (right - left - square) / 2, (height - square) / 2);
    let crop = imageops::crop_imm(picture, x, y, square, square).to_image();
    if square == side {
        return Ok(crop);
    }
    Ok(imageops::resize(&crop, side, side, imageops::FilterType::CatmullRom))
}

/// BLAKE3 of size and pixels: equal for equal pictures however they are encoded.
pub fn content_digest(picture: &RgbImage) -> String {
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
        assert!(
            error.to_string().contains("image `a.mp4#000001` of frames.parquet is unreadable"),
            "{error}"
        );
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
