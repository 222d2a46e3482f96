//! Decoding of image files from unknown sources.

use std::io::Cursor;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::user_error;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, Rgb, RgbImage};

/// Longest side of an image in pixels, which is the limit of JPEG.
const LARGEST_SIDE: u32 = 65_535;

/// Largest size in bytes that decoding may allocate: 89 megapixels, ten of the paper's panoramas.
const MOST_BYTES: u64 = 512 << 20;

/// Decodes an image file as viewers show it: rotated according to EXIF, on white, as RGB with 8 bits per
/// channel.
///
/// # Errors
/// Returns an error if the file is not a PNG or JPEG, is truncated, or is larger than plausible for an image.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<RgbImage> {
    Ok(read_with_traits(bytes, path)?.0)
}

/// Unusual properties of an image file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// EXIF declares that the image is rotated or mirrored.
    pub rotated: bool,
    /// The image has a colour profile.
    pub profile: bool,
    /// The image may have transparent pixels.
    pub transparent: bool,
    /// The image has more than 8 bits per channel.
    pub deep: bool,
    /// The image is grey.
    pub grey: bool,
}

impl Traits {
    /// Names of the properties, for messages.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
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

/// Returns true if a file's name has the extension of a supported image format.
pub(crate) fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| ["jpg", "jpeg", "png"].contains(&extension.as_str()))
}

/// Decodes an image file as [`read`] does, and also returns its unusual properties.
///
/// # Errors
/// Returns an error in the cases of [`read`].
pub(crate) fn read_with_traits(bytes: &[u8], path: &Path) -> Result<(RgbImage, Traits)> {
    let unreadable = |why: String| {
        let message = format!("`{}` is unreadable: {why}", path.display());
        user_error(message, "replace the file with a PNG or JPEG image, or remove the file")
    };
    if bytes.is_empty() {
        return Err(unreadable("the file is empty".into()));
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
    let (image, traits) = decode().map_err(|error| match error {
        ImageError::Limits(_) => user_error(
            format!(
                "`{}` is too large: {error} ({LARGEST_SIDE} pixels per side, {} MiB of memory)",
                path.display(),
                MOST_BYTES >> 20
            ),
            "reduce the size of the image, or remove the file",
        ),
        _ => unreadable(error.to_string()),
    })?;
    if bytes.starts_with(&JPEG) && !jpeg_ends(bytes) {
        return Err(unreadable("the file is truncated".into()));
    }
    let picture = if image.color().has_alpha() { on_white(&image) } else { image.into_rgb8() };
    Ok((picture, traits))
}

/// First bytes of a JPEG.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// Returns true if a JPEG is complete. The decoder invents missing parts.
fn jpeg_ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    // Segments with a length precede the first scan. One may contain a thumbnail, which has its own end
    // marker.
    while let Some([0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if *marker == 0xff {
            // Any number of these bytes may precede a marker.
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
