//! RGB pictures of 8 bits a channel.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::png::{CompressionType, FilterType as Prediction, PngEncoder};
use image::imageops;
use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageReader, Limits, Rgb, RgbImage,
};

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

/// Sides of a file's image at most, in pixels: the most that JPEG allows.
const LARGEST_SIDE: u32 = 65_535;

/// Bytes that decoding may take: 178 megapixels, twenty of the paper's panoramas.
const MOST_BYTES: u64 = 512 << 20;

/// Decodes an image file of a stranger as people see it: rotated as EXIF says, on white, in 8 bits of RGB.
///
/// # Errors
/// When it is no PNG or JPEG, truncated, or so large that it is hardly an image.
pub fn read(bytes: &[u8], path: &Path) -> Result<RgbImage> {
    Ok(read_with_traits(bytes, path)?.0)
}

/// What is uncommon of an image file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// EXIF says that it is rotated or mirrored.
    pub rotated: bool,
    /// It has a colour profile of its own.
    pub profile: bool,
    /// Some of it may be transparent.
    pub transparent: bool,
    /// It has more than 8 bits a channel.
    pub deep: bool,
    /// It is grey.
    pub grey: bool,
}

impl Traits {
    /// In words.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.rotated, "rotated by EXIF"),
            (self.profile, "with a colour profile (not applied)"),
            (self.transparent, "transparent"),
            (self.deep, "of 16 bits"),
            (self.grey, "grey"),
        ];
        all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name)
    }
}

/// Whether a file's name is that of an image that is read here.
pub fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| ["jpg", "jpeg", "png"].contains(&extension.as_str()))
}

/// The same as [`read`], and what is uncommon of the file.
///
/// # Errors
/// As of [`read`].
pub fn read_with_traits(bytes: &[u8], path: &Path) -> Result<(RgbImage, Traits)> {
    let unreadable = |why: String| {
        let message = format!("{} is unreadable: {why}", path.display());
        refusal(message, "replace the file, or remove it; PNG and JPEG are read")
    };
    if bytes.is_empty() {
        return Err(unreadable("it is empty".into()));
    }
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LARGEST_SIDE), Some(LARGEST_SIDE));
    limits.max_alloc = Some(MOST_BYTES);
    let mut decode = || -> image::ImageResult<(DynamicImage, Traits)> {
        let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        reader.limits(limits.clone());
        let mut decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        limits.reserve(decoder.total_bytes())?;
        limits.reserve(u64::from(width) * u64::from(height) * 3)?;
        let orientation = decoder.orientation()?;
        let profile = decoder.icc_profile()?.is_some();
        let color = decoder.color_type();
        let traits = Traits {
            rotated: orientation != Orientation::NoTransforms,
            profile,
            transparent: color.has_alpha(),
            deep: u16::from(color.bytes_per_pixel()) > u16::from(color.channel_count()),
            grey: !color.has_color(),
        };
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        Ok((image, traits))
    };
    let (image, traits) = decode().map_err(|error| unreadable(error.to_string()))?;
    if bytes.starts_with(&JPEG) && !jpeg_ends(bytes) {
        return Err(unreadable("it is truncated".into()));
    }
    let picture = if image.color().has_alpha() { on_white(&image) } else { image.into_rgb8() };
    Ok((picture, traits))
}

/// How a JPEG begins.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// Whether a JPEG has its end: the decoder makes up what is missing.
fn jpeg_ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    // Segments with a length up to the first scan: a thumbnail among them has an end of its own.
    while let Some([0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if *marker == 0xff {
            // Any number of these may stand before a marker.
            at += 1;
            continue;
        }
        if *marker == 0xda {
            return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]);
        }
        at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
    }
    false
}

fn on_white(image: &DynamicImage) -> RgbImage {
    let image = image.to_rgba8();
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0;
        let over = |value: u8| {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        Rgb([red, green, blue].map(over))
    })
}

/// The left and the right half.
///
/// # Errors
/// When the width is odd.
pub fn halves(picture: &RgbImage, path: &Path) -> Result<(RgbImage, RgbImage)> {
    let (width, height) = picture.dimensions();
    if !width.is_multiple_of(2) || width == 0 {
        return Err(refusal(
            format!("{} is {width}x{height}: it has no two halves of one width", path.display()),
            "make the width even, with as much for one half as for the other, or remove the file",
        ));
    }
    let half = |left: u32| imageops::crop_imm(picture, left, 0, width / 2, height).to_image();
    Ok((half(0), half(width / 2)))
}

/// Encodes as PNG, quickly.
///
/// # Errors
/// When the picture is empty.
pub fn encode_png(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, Prediction::Adaptive);
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
    resized(crop, side, side)
}

/// The picture in another size, by antialiased bicubic interpolation.
///
/// # Errors
/// When a side is 0.
pub fn resized(picture: RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    if picture.dimensions() == (width, height) {
        return Ok(picture);
    }
    let source = ImageRef::new(picture.width(), picture.height(), picture.as_raw(), PixelType::U8x3)?;
    let mut target = Image::new(width, height, PixelType::U8x3);
    let bicubic = ResizeAlg::Convolution(FilterType::CatmullRom);
    Resizer::new().resize(&source, &mut target, &ResizeOptions::new().resize_alg(bicubic))?;
    RgbImage::from_raw(width, height, target.into_vec()).context("a picture of no size")
}

/// The picture, reduced by antialiased bicubic interpolation if a side is longer than `most` pixels; 0 is
/// without bound.
///
/// # Errors
/// When a side is 0.
pub fn within(picture: RgbImage, most: u32) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if most == 0 || longest <= most {
        return Ok(picture);
    }
    let side =
        |pixels: u32| (f64::from(pixels) * f64::from(most) / f64::from(longest)).round().max(1.0) as u32;
    resized(picture, side(width), side(height))
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
