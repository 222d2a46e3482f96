//! Decoding of TIFF with a palette. The crate `tiff` refuses it, so it reads the indices as grey values.

use ::tiff::TiffResult;
use ::tiff::decoder::DecodingResult;
use ::tiff::tags::{PhotometricInterpretation, PlanarConfiguration, Tag};
use image::metadata::Orientation;
use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};

use super::directory::{has_second_page, position};
use super::{failed, open};
use crate::error::DecodeError;
use crate::format::Format;
use crate::limits::check;
use crate::traits::Traits;

/// Value of the tag ExtraSamples: the second sample of a pixel is alpha.
const ALPHA: u16 = 2;

/// Tags that describe a palette and its indices.
struct Palette {
    size: (u32, u32),
    orientation: Orientation,
    profile: bool,
    bits: usize,
    samples: usize,
    alpha: bool,
    planes: bool,
    /// All values of red, then of green, then of blue, with 16 bits.
    colors: Vec<u16>,
}

/// Decodes a TIFF with a palette; `None` if a TIFF has no palette.
///
/// # Errors
/// Returns an error if the image is damaged or too large, or if its indices have an unsupported layout.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(DynamicImage, Traits)>, DecodeError> {
    let Some(palette) = Palette::read(bytes).map_err(failed)? else { return Ok(None) };
    palette.check(bytes.len())?;
    let DecodingResult::U8(indices) = indices(bytes).map_err(failed)? else {
        return Err(DecodeError::Variant("its palette is not indexed by unsigned integers".to_owned()));
    };
    let mut image = palette.image(&indices);
    image.apply_orientation(palette.orientation);
    let traits = Traits {
        rotated: palette.orientation != Orientation::NoTransforms,
        profile: palette.profile,
        transparent: palette.alpha,
        several: has_second_page(bytes),
        ..Traits::default()
    };
    Ok(Some((image, traits)))
}

/// Reads the indices from a copy of the file that declares them as grey values.
fn indices(bytes: &[u8]) -> TiffResult<DecodingResult> {
    let mut copy = bytes.to_vec();
    let [from, to] = [PhotometricInterpretation::RGBPalette, PhotometricInterpretation::BlackIsZero]
        .map(|kind| kind.to_u16() as u8);
    let at = position(bytes, Tag::PhotometricInterpretation.to_u16()).unwrap_or(copy.len());
    // The byte order and the type of the tag determine which of its bytes is not zero.
    copy.iter_mut().skip(at).take(4).filter(|byte| **byte == from).for_each(|byte| *byte = to);
    open(&copy)?.read_image()
}

impl Palette {
    fn read(bytes: &[u8]) -> TiffResult<Option<Self>> {
        let mut file = open(bytes)?;
        let kind = file.find_tag_unsigned(Tag::PhotometricInterpretation)?;
        if kind != Some(PhotometricInterpretation::RGBPalette.to_u16()) {
            return Ok(None);
        }
        let size = file.dimensions()?;
        let mut number =
            |tag, default: u8| -> TiffResult<u8> { Ok(file.find_tag_unsigned(tag)?.unwrap_or(default)) };
        let orientation = number(Tag::Orientation, 1)?;
        let planes = number(Tag::PlanarConfiguration, 1)? == PlanarConfiguration::Planar.to_u16() as u8;
        let samples = usize::from(number(Tag::SamplesPerPixel, 1)?);
        let bits = file.find_tag_unsigned_vec::<u8>(Tag::BitsPerSample)?;
        let extra = file.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples)?;
        Ok(Some(Self {
            size,
            orientation: Orientation::from_exif(orientation).unwrap_or(Orientation::NoTransforms),
            profile: file.find_tag(Tag::IccProfile)?.is_some(),
            bits: usize::from(bits.and_then(|bits| bits.first().copied()).unwrap_or(1)),
            samples,
            alpha: extra.is_some_and(|extra| extra.first() == Some(&ALPHA)) && samples == 2,
            planes,
            colors: file.get_tag_u16_vec(Tag::ColorMap)?,
        }))
    }

    /// Checks the size of the image, the layout of its indices, and the number of colours.
    fn check(&self, bytes: usize) -> Result<(), DecodeError> {
        check(self.size, Format::Tiff, 8, bytes)?;
        let Self { bits, samples, .. } = self;
        if !matches!((samples, bits, self.planes), (1, 1 | 2 | 4 | 8, _) | (2, 8, false)) {
            let what = format!("its palette is indexed by {samples} samples of {bits} bits");
            return Err(DecodeError::Variant(what));
        }
        let (found, declared) = (self.colors.len() / 3, 1 << bits);
        if found < declared {
            let what = format!("its palette has {found} of {declared} colours");
            return Err(DecodeError::Damaged(what));
        }
        Ok(())
    }

    fn image(&self, indices: &[u8]) -> DynamicImage {
        let (width, height) = self.size;
        let (bits, count) = (self.samples * self.bits, 1 << self.bits);
        let row = (width as usize * bits).div_ceil(8);
        let color = |x: u32, y: u32| {
            let bit = x as usize * bits;
            let byte = indices[y as usize * row + bit / 8];
            let index = usize::from(byte >> (8 - self.bits - bit % 8)) & (count - 1);
            // Like Pillow, this takes the high byte.
            [0, 1, 2].map(|channel| (self.colors[channel * count + index] >> 8) as u8)
        };
        if !self.alpha {
            return RgbImage::from_fn(width, height, |x, y| Rgb(color(x, y))).into();
        }
        let pixel = |x: u32, y: u32| {
            let [red, green, blue] = color(x, y);
            Rgba([red, green, blue, indices[y as usize * row + x as usize * 2 + 1]])
        };
        RgbaImage::from_fn(width, height, pixel).into()
    }
}
