//! Pixels of an image file as viewers show them.

use std::io::Cursor;

use callsheet_panics::caught;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, Limits, Rgb, RgbImage};

use crate::error::DecodeError;
use crate::format::Format;
use crate::limits::{MOST_BYTES, check};
use crate::traits::Traits;
use crate::{complete, jpeg, tiff};

/// Decodes an image file as viewers show it: rotated according to EXIF, on white, as RGB with 8 bits per
/// channel. Colour profiles are not applied. Of several pictures, the first is decoded.
///
/// # Errors
/// Returns an error if the file is empty, has an unsupported format, is damaged, or is too large.
pub fn decode(bytes: &[u8]) -> Result<(RgbImage, Traits), DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let format = Format::of(bytes).map_err(DecodeError::Unsupported)?;
    if format == Format::Jpeg {
        let (picture, orientation, traits) = jpeg::decode(bytes)?;
        let mut image = DynamicImage::from(picture);
        image.apply_orientation(orientation);
        return Ok((image.into_rgb8(), traits));
    }
    complete::check(bytes, format)?;
    // The crate tiff panics at some damaged files.
    let decoded = caught(|| first_picture(bytes, format));
    let (image, traits) =
        decoded.unwrap_or_else(|panic| Err(DecodeError::Variant(format!("its decoder fails: {panic}"))))?;
    Ok((if image.color().has_alpha() { on_white(image) } else { image.into_rgb8() }, traits))
}

fn first_picture(bytes: &[u8], format: Format) -> Result<(DynamicImage, Traits), DecodeError> {
    match format {
        Format::WebP => {
            let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?;
            let several = decoder.has_animation();
            read(decoder, several, (format, 8), bytes.len())
        }
        Format::Tiff => {
            if let Some(decoded) = tiff::decode_palette(bytes)? {
                return Ok(decoded);
            }
            let decoder = TiffDecoder::new(Cursor::new(bytes)).map_err(failed)?;
            let (image, traits) = read(decoder, tiff::has_second_page(bytes), (format, 8), bytes.len())?;
            let divide = traits.transparent && tiff::is_multiplied(bytes)?;
            Ok((if divide { tiff::divided(image) } else { image }, traits))
        }
        Format::Png | Format::Jpeg => {
            let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits()).map_err(failed)?;
            let several = decoder.is_apng().map_err(failed)?;
            read(decoder, several, (format, complete::bits_of_png_pixel(bytes)), bytes.len())
        }
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    limits
}

fn read(
    mut decoder: impl ImageDecoder,
    several: bool,
    (format, bits): (Format, u64),
    bytes: usize,
) -> Result<(DynamicImage, Traits), DecodeError> {
    check(decoder.dimensions(), format, bits, bytes)?;
    let color = decoder.color_type();
    if matches!(color, ColorType::Rgb32F | ColorType::Rgba32F) {
        let what = "its pixels are floating-point numbers, whose range is unknown";
        return Err(DecodeError::Variant(what.to_owned()));
    }
    decoder.set_limits(limits()).map_err(failed)?;
    let orientation = orientation(&mut decoder)?;
    let traits = Traits {
        rotated: orientation != Orientation::NoTransforms,
        profile: decoder.icc_profile().map_err(failed)?.is_some(),
        transparent: color.has_alpha(),
        deep: u16::from(color.bytes_per_pixel()) > u16::from(color.channel_count()),
        grey: !color.has_color(),
        several,
    };
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    image.apply_orientation(orientation);
    Ok((image, traits))
}

/// Orientation that EXIF declares. Pillow and others begin the EXIF data of WebP as in JPEG.
fn orientation(decoder: &mut impl ImageDecoder) -> Result<Orientation, DecodeError> {
    let exif = decoder.exif_metadata().map_err(failed)?;
    let prefixed = exif.as_deref().and_then(|exif| exif.strip_prefix(b"Exif\0\0"));
    match prefixed.and_then(Orientation::from_exif_chunk) {
        Some(orientation) => Ok(orientation),
        None => decoder.orientation().map_err(failed),
    }
}

fn failed(error: ImageError) -> DecodeError {
    match error {
        ImageError::Unsupported(error) => DecodeError::Variant(error.to_string()),
        ImageError::Limits(_) => {
            DecodeError::Variant(format!("decoding would take more than {} MiB of memory", MOST_BYTES >> 20))
        }
        error => DecodeError::Damaged(error.to_string()),
    }
}

fn on_white(image: DynamicImage) -> RgbImage {
    let image = image.into_rgba8();
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0;
        let over = |value: u8| {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        Rgb([red, green, blue].map(over))
    })
}
