//! Pictures embedded in a page as data, so that the page is self-contained.

use callsheet_figures::data_uri::data_uri;
use callsheet_pictures::{Format, decode};
use image::DynamicImage;
use image::codecs::jpeg::JpegEncoder;
use maud::{Markup, html};

use crate::declare::Bytes;

/// Largest picture that is embedded without change, in bytes.
const PLAIN: usize = 200_000;
/// Largest film that is embedded, in bytes; also the limit of pictures that cannot be reduced.
const LARGEST_AS_IT_IS: usize = 8 << 20;
/// Longer side to which larger pictures are reduced, in pixels.
const LONGEST: u32 = 2400;
const QUALITY: u8 = 88;
const THUMBNAIL_QUALITY: u8 = 80;

/// HTML element of a picture or a film; `alt` describes its content.
///
/// # Errors
/// Returns the reason if the picture is damaged, or too large for a page.
pub(super) fn element(bytes: &[u8], alt: &str) -> Result<Markup, String> {
    let film = bytes.get(4..8) == Some(b"ftyp");
    let still = Format::of(bytes).ok();
    if still.is_none() && bytes.len() > LARGEST_AS_IT_IS {
        return Err(format!("a file of {} is too large for a page", Bytes(bytes.len() as u64)));
    }
    if film {
        let uri = data_uri("video/mp4", bytes);
        return Ok(html! { video src=(uri) aria-label=(alt) controls loop muted playsinline {} });
    }
    let format = image::guess_format(bytes).map_err(|error| error.to_string())?;
    // A picture is decoded even if it is embedded without change, because browsers show nothing of a damaged
    // one.
    let smaller = if still.is_some() { jpeg(bytes, LONGEST, QUALITY)? } else { Vec::new() };
    let small = smaller.is_empty() || smaller.len() >= bytes.len() || bytes.len() <= PLAIN;
    // Browsers do not show TIFF.
    let uri = if small && still != Some(Format::Tiff) {
        data_uri(format.to_mime_type(), bytes)
    } else {
        data_uri("image/jpeg", &smaller)
    };
    Ok(html! { img src=(uri) alt=(alt) loading="lazy"; })
}

/// Small JPEG of a picture, whose longer side has at most `side` pixels.
///
/// # Errors
/// Returns the reason if the picture is damaged.
pub(super) fn thumbnail(bytes: &[u8], side: u32) -> Result<Vec<u8>, String> {
    jpeg(bytes, side, THUMBNAIL_QUALITY)
}

fn jpeg(bytes: &[u8], longest: u32, quality: u8) -> Result<Vec<u8>, String> {
    let (picture, _) = decode(bytes).map_err(|error| format!("the picture {error}"))?;
    let picture = DynamicImage::from(picture);
    let fits = picture.width().max(picture.height()) <= longest;
    let picture = if fits { picture } else { picture.thumbnail(longest, longest) };
    let mut encoded = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut encoded, quality);
    picture.write_with_encoder(encoder).map_err(|error| error.to_string())?;
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Rgb, RgbImage, RgbaImage};

    use super::*;

    fn png(picture: &RgbImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).expect("encoded");
        bytes.into_inner()
    }

    #[test]
    fn a_small_picture_stays_as_it_is_and_a_large_one_becomes_smaller() {
        let small = png(&RgbImage::new(4, 2));
        let shown = element(&small, "a <b>").expect("shown").into_string();
        assert!(
            shown.contains(&data_uri("image/png", &small)) && shown.contains("alt=\"a &lt;b&gt;\""),
            "{shown}"
        );
        let noise =
            RgbImage::from_fn(600, 300, |x, y| Rgb([(x * 31 + y * 17) as u8, (x * y) as u8, (x ^ y) as u8]));
        let shown = element(&png(&noise), "").expect("shown").into_string();
        assert!(shown.contains("data:image/jpeg") && shown.len() < png(&noise).len(), "{}", shown.len());
    }

    #[test]
    fn a_damaged_small_picture_is_an_error_and_transparent_pixels_become_white() {
        let small = png(&RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8, x as u8, y as u8])));
        assert!(element(&small[..small.len() / 2], "").is_err());
        let mut bytes = Cursor::new(Vec::new());
        RgbaImage::new(4, 4).write_to(&mut bytes, ImageFormat::Png).expect("encoded");
        let shown =
            image::load_from_memory(&thumbnail(&bytes.into_inner(), 4).expect("made")).expect("a picture");
        assert!(shown.to_rgb8().pixels().all(|pixel| pixel.0.iter().all(|value| *value > 250)));
    }

    #[test]
    fn a_thumbnail_keeps_its_proportions_and_invalid_images_are_errors() {
        let small = image::load_from_memory(&thumbnail(&png(&RgbImage::new(100, 50)), 20).expect("made"));
        let small = small.expect("a picture");
        assert_eq!((small.width(), small.height()), (20, 10));
        assert!(element(b"no picture at all", "").is_err() && thumbnail(b"", 9).is_err());
        assert!(element(b"\0\0\0\x18ftypmp42", "film").expect("a film").into_string().starts_with("<video"));
    }
}
