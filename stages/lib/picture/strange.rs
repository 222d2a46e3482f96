//! Image files that strangers made.

use std::io::Cursor;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::refusal;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage};

/// Sides of a file's image at most, in pixels: the most that JPEG allows.
const LARGEST_SIDE: u32 = 65_535;

/// Bytes that decoding may take: 89 megapixels, ten of the paper's panoramas.
const MOST_BYTES: u64 = 512 << 20;

/// Decodes an image file of a stranger as people see it: rotated as EXIF says, on white, in 8 bits of RGB.
///
/// # Errors
/// When it is no PNG or JPEG, truncated, or so large that it is hardly an image.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<RgbImage> {
    Ok(read_with_traits(bytes, path)?.0)
}

/// Unusual properties of an image file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
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

/// Returns true if a file's name is that of an image that is read here.
pub(crate) fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| ["jpg", "jpeg", "png"].contains(&extension.as_str()))
}

/// The same as [`read`], and what is uncommon of the file.
///
/// # Errors
/// As of [`read`].
pub(crate) fn read_with_traits(bytes: &[u8], path: &Path) -> Result<(RgbImage, Traits)> {
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

/// First bytes of a JPEG.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// Returns true if a JPEG has its end: the decoder makes up what is missing.
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
