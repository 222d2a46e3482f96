//! Small pictures for grids.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::image_type::image_type;

/// Largest side of a thumbnail, in pixels.
const SIDE: u32 = 256;

/// Quality of JPEG, from 1 to 100.
const QUALITY: u8 = 82;

/// Images with fewer bytes stay as they are, if no side is larger than a thumbnail's.
const SMALL: usize = 32 << 10;

/// Largest side of an image, in pixels, and largest memory of its pixels, in bytes. A small file can describe a huge image.
const LARGEST_SIDE: u32 = 1 << 15;
const MEMORY: u64 = 192 << 20;

/// Largest image of a type that is not decoded here, in bytes.
const LARGEST: usize = 512 << 10;

/// Returns a thumbnail of an image; `None` if browsers cannot show the image, or it is too large.
pub(super) fn shrink(bytes: &[u8]) -> Option<Vec<u8>> {
    let format = match image_type(bytes)? {
        "image/png" => ImageFormat::Png,
        "image/jpeg" => ImageFormat::Jpeg,
        "image/webp" => ImageFormat::WebP,
        // Animations stay animations.
        _ => return (bytes.len() <= LARGEST).then(|| bytes.to_vec()),
    };
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LARGEST_SIDE), Some(LARGEST_SIDE));
    limits.max_alloc = Some(MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MEMORY {
        return None;
    }
    let orientation = decoder.orientation().ok()?;
    let mut image = DynamicImage::from_decoder(decoder).ok()?;
    if width.max(height) <= SIDE && bytes.len() <= SMALL {
        return Some(bytes.to_vec());
    }
    if width.max(height) > SIDE {
        image = image.thumbnail(SIDE, SIDE);
    }
    image.apply_orientation(orientation);
    encoded(&image)
}

/// JPEG, or PNG for an image with transparent parts.
fn encoded(image: &DynamicImage) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    if image.color().has_alpha() {
        image.to_rgba8().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).ok()?;
    } else {
        image.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY)).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, RgbaImage};

    use super::*;

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).expect("encoded");
        bytes
    }

    #[test]
    fn a_large_image_becomes_a_small_jpeg_with_its_proportions() {
        let large = RgbImage::from_fn(1000, 500, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
        let small = shrink(&png(&large.into())).expect("a thumbnail");
        let found = image::load_from_memory(&small).expect("an image");
        assert_eq!((image_type(&small), found.width(), found.height()), (Some("image/jpeg"), 256, 128));
        let transparent = shrink(&png(&RgbaImage::new(300, 300).into())).expect("a thumbnail");
        assert_eq!(image_type(&transparent), Some("image/png"));
        let deep =
            shrink(&png(&image::ImageBuffer::<Rgb<u16>, _>::new(300, 300).into())).expect("a thumbnail");
        assert_eq!(image_type(&deep), Some("image/jpeg"));
    }

    #[test]
    fn a_small_image_stays_as_it_is() {
        let bytes = png(&RgbImage::new(128, 128).into());
        assert_eq!(shrink(&bytes), Some(bytes));
    }

    #[test]
    fn other_bytes_damaged_images_and_huge_ones_have_no_thumbnail() {
        let mut cut = png(&RgbImage::new(300, 300).into());
        cut.truncate(100);
        // The header of an image with 65,000 x 65,000 pixels.
        let mut huge = png(&RgbImage::new(1, 1).into());
        for at in [16, 20] {
            huge[at..at + 4].copy_from_slice(&65_000u32.to_be_bytes());
        }
        let crc = crc(&huge[12..29]);
        huge[29..33].copy_from_slice(&crc.to_be_bytes());
        let wide = {
            let mut wide = huge.clone();
            for at in [16, 20] {
                wide[at..at + 4].copy_from_slice(&20_000u32.to_be_bytes());
            }
            let crc = self::crc(&wide[12..29]);
            wide[29..33].copy_from_slice(&crc.to_be_bytes());
            wide
        };
        for bytes in [&b"<svg>"[..], b"", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 ", &cut, &huge, &wide] {
            assert_eq!(shrink(bytes), None, "{:?}", &bytes[..bytes.len().min(8)]);
        }
        assert_eq!(shrink(&[b"GIF89a", &vec![0; LARGEST][..]].concat()), None);
    }

    /// Check sum of a part of a PNG file.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |sum: u32, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
        })
    }
}
