//! Decoding of JPEG by libjpeg, with the pixels of Pillow. Damaged files are refused.

mod errors;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use image::RgbImage;
use image::metadata::Orientation;
use mozjpeg::{ColorSpace, Decompress, Marker};

use crate::error::DecodeError;
use crate::format::Format;
use crate::limits::check;
use crate::traits::Traits;
use errors::{Message, strict};

/// Markers with EXIF and with a colour profile.
const EXIF: Marker = Marker::APP(1);
const PROFILE: Marker = Marker::APP(2);

/// Decodes a JPEG. The picture is not rotated yet.
///
/// # Errors
/// Returns an error if libjpeg reports an error or damaged data, or the image is too large.
pub(crate) fn decode(bytes: &[u8]) -> Result<(RgbImage, Orientation, Traits), DecodeError> {
    // libjpeg's handlers of errors must not return, so they unwind to this place.
    let decoded = catch_unwind(AssertUnwindSafe(|| pixels(bytes)));
    decoded.unwrap_or_else(|panic| match panic.downcast::<Message>() {
        Ok(message) => Err(classified(message.0)),
        Err(other) => resume_unwind(other),
    })
}

fn pixels(bytes: &[u8]) -> Result<(RgbImage, Orientation, Traits), DecodeError> {
    let reader = Decompress::with_err(strict()).with_markers(&[EXIF, PROFILE]).from_mem(bytes);
    let reader = reader.map_err(failed)?;
    let (width, height) = (reader.width() as u32, reader.height() as u32);
    check((width, height), Format::Jpeg, 0, bytes.len())?;
    let orientation = reader.markers().find_map(|marker| match marker.marker {
        EXIF => Orientation::from_exif_chunk(marker.data.strip_prefix(b"Exif\0\0")?),
        _ => None,
    });
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let profile = |marker: mozjpeg::decompress::MarkerData| {
        marker.marker == PROFILE && marker.data.starts_with(b"ICC_PROFILE\0")
    };
    let traits = Traits {
        rotated: orientation != Orientation::NoTransforms,
        profile: reader.markers().any(profile),
        grey: reader.color_space() == ColorSpace::JCS_GRAYSCALE,
        ..Traits::default()
    };
    let ink = matches!(reader.color_space(), ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK);
    let target = if ink { ColorSpace::JCS_CMYK } else { ColorSpace::JCS_RGB };
    let mut started = reader.to_colorspace(target).map_err(failed)?;
    let values = if ink {
        started.read_scanlines().map_err(failed)?.into_iter().flat_map(rgb_of_ink).collect()
    } else {
        started.read_scanlines().map_err(failed)?
    };
    // Reads up to the end marker, before which excess data are found.
    started.finish().map_err(failed)?;
    let picture = RgbImage::from_raw(width, height, values);
    picture
        .map(|picture| (picture, orientation, traits))
        .ok_or_else(|| failed(io::ErrorKind::UnexpectedEof.into()))
}

/// Colour of inverted inks, as Adobe's programs write them; the formula and its rounding are Pillow's.
fn rgb_of_ink([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    [cyan, magenta, yellow].map(|ink| {
        let product = u32::from(255 - ink) * u32::from(black) + 128;
        black - ((product + (product >> 8)) >> 8) as u8
    })
}

fn failed(error: io::Error) -> DecodeError {
    DecodeError::Damaged(error.to_string())
}

/// Variants that libjpeg does not decode, by the beginning of its message.
const VARIANTS: [&str; 4] =
    ["Unsupported JPEG process", "Unsupported color conversion", "Unsupported JPEG data precision", "Sorry,"];

fn classified(message: String) -> DecodeError {
    if VARIANTS.iter().any(|variant| message.starts_with(variant)) {
        return DecodeError::Variant(message);
    }
    DecodeError::Damaged(message.trim_start_matches("Corrupt JPEG data: ").to_owned())
}
