//! TIFF files that the crate `image` does not decode as viewers show them: with a palette, or with colours that are
//! multiplied by alpha.

mod directory;
mod palette;
#[cfg(test)]
mod tests;

use std::io::Cursor;

use ::tiff::decoder::{Decoder, Limits};
use ::tiff::tags::Tag;
use ::tiff::{TiffError, TiffResult};
use image::{DynamicImage, Rgba};

pub(crate) use directory::has_second_page;
pub(crate) use palette::decode as decode_palette;

use crate::error::DecodeError;
use crate::limits::MOST_BYTES;

/// Value of the tag ExtraSamples: the colours are multiplied by alpha.
const ASSOCIATED_ALPHA: u16 = 1;

/// Returns true if the colours of a TIFF are multiplied by alpha.
///
/// # Errors
/// Returns an error if the file is damaged.
pub(crate) fn is_multiplied(bytes: &[u8]) -> Result<bool, DecodeError> {
    let extra = open(bytes).and_then(|mut file| file.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples));
    Ok(extra.map_err(failed)?.is_some_and(|extra| extra.first() == Some(&ASSOCIATED_ALPHA)))
}

/// Divides the colours of an image by alpha. The formula and its rounding are Pillow's.
pub(crate) fn divided(image: DynamicImage) -> DynamicImage {
    let mut image = image.into_rgba8();
    for Rgba([red, green, blue, alpha]) in image.pixels_mut().filter(|pixel| pixel.0[3] > 0) {
        for color in [red, green, blue] {
            *color = (u32::from(*color) * 255 / u32::from(*alpha)).min(255) as u8;
        }
    }
    image.into()
}

fn open(bytes: &[u8]) -> TiffResult<Decoder<Cursor<&[u8]>>> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MOST_BYTES as usize;
    limits.intermediate_buffer_size = MOST_BYTES as usize;
    limits.ifd_value_size = MOST_BYTES as usize;
    Ok(Decoder::new(Cursor::new(bytes))?.with_limits(limits))
}

fn failed(error: TiffError) -> DecodeError {
    match error {
        TiffError::UnsupportedError(error) => DecodeError::Variant(error.to_string()),
        error => DecodeError::Damaged(error.to_string()),
    }
}
