//! Limits on the size of an image, which are checked before memory is allocated.

use crate::error::DecodeError;
use crate::format::{Format, LARGEST_SIDE, MOST_MEGAPIXELS};

/// Largest size in bytes that a decoder may allocate: an image at the limit with four channels of 16 bits. The decoder
/// of WebP ignores it; only the number of pixels limits its memory.
pub(crate) const MOST_BYTES: u64 = MOST_MEGAPIXELS * 1_000_000 * 8;

/// Largest number of bytes that one byte of a deflate stream yields.
const DEFLATE_RATIO: u64 = 1032;

/// Largest number of pixels that one byte of a JPEG yields: each bit is one block of 64 pixels.
const JPEG_RATIO: u64 = 512;

/// Checks that an image of `size` is not too large, and that a file of `bytes` bytes can contain it.
/// `pixel_bits` is the size of a pixel in the file.
///
/// # Errors
/// Returns an error if the image is too large, or if the file is too short for its pixels.
pub(crate) fn check(
    (width, height): (u32, u32),
    format: Format,
    pixel_bits: u64,
    bytes: usize,
) -> Result<(), DecodeError> {
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > LARGEST_SIDE || pixels > MOST_MEGAPIXELS * 1_000_000 {
        return Err(DecodeError::TooLarge(width, height));
    }
    let most = match format {
        Format::Png => bytes as u64 * DEFLATE_RATIO * 8 / pixel_bits.max(1),
        Format::Jpeg => bytes as u64 * JPEG_RATIO,
        // These formats can describe any number of equal pixels in a few bytes.
        Format::WebP | Format::Tiff => u64::MAX,
    };
    if pixels > most {
        return Err(DecodeError::Damaged(format!(
            "the header declares {width}x{height} pixels, but the file has only {bytes} bytes"
        )));
    }
    Ok(())
}
