//! Pictures as they stand inside of a page: data, so that the page needs no other file.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, ImageReader};
use maud::{Markup, html};

use crate::declare::Bytes;

/// Bytes of a picture that are taken as they are.
const PLAIN: usize = 200_000;
/// Bytes of a film that a page may hold.
const LARGEST_FILM: usize = 8 << 20;
/// Pixels of the longer side of a picture that is larger.
const LONGEST: u32 = 2400;
const QUALITY: u8 = 88;
const THUMBNAIL_QUALITY: u8 = 80;

/// A picture or a film as an element; `alt` says what it shows.
///
/// # Errors
/// Says what is wrong with it.
pub fn element(bytes: &[u8], alt: &str) -> Result<Markup, String> {
    if bytes.get(4..8) == Some(b"ftyp") {
        if bytes.len() > LARGEST_FILM {
            return Err(format!("a film of {} is too large for a page", Bytes(bytes.len() as u64)));
        }
        let uri = uri("video/mp4", bytes);
        return Ok(html! { video src=(uri) aria-label=(alt) controls loop muted playsinline {} });
    }
    let format = image::guess_format(bytes).map_err(|error| error.to_string())?;
    let shrinks = matches!(format, ImageFormat::Png | ImageFormat::Jpeg) && bytes.len() > PLAIN;
    let smaller = if shrinks { jpeg(bytes, LONGEST, QUALITY)? } else { Vec::new() };
    let uri = if smaller.is_empty() || smaller.len() >= bytes.len() {
        uri(format.to_mime_type(), bytes)
    } else {
        uri("image/jpeg", &smaller)
    };
    Ok(html! { img src=(uri) alt=(alt) loading="lazy"; })
}

/// A small JPEG of a picture: its longer side has at most `side` pixels.
///
/// # Errors
/// Says what is wrong with it.
pub fn thumbnail(bytes: &[u8], side: u32) -> Result<Vec<u8>, String> {
    jpeg(bytes, side, THUMBNAIL_QUALITY)
}

/// What `src` takes.
pub fn uri(mime: &str, bytes: &[u8]) -> String {
    format!("data:{mime};base64,{}", STANDARD.encode(bytes))
}

fn jpeg(bytes: &[u8], longest: u32, quality: u8) -> Result<Vec<u8>, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    let picture = reader.decode().map_err(|error| error.to_string())?;
    let fits = picture.width().max(picture.height()) <= longest;
    let picture = if fits { picture } else { picture.thumbnail(longest, longest) };
    let picture = DynamicImage::from(picture.into_rgb8());
    let mut encoded = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut encoded, quality);
    picture.write_with_encoder(encoder).map_err(|error| error.to_string())?;
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

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
            shown.contains(&uri("image/png", &small)) && shown.contains("alt=\"a &lt;b&gt;\""),
            "{shown}"
        );
        let noise =
            RgbImage::from_fn(600, 300, |x, y| Rgb([(x * 31 + y * 17) as u8, (x * y) as u8, (x ^ y) as u8]));
        let shown = element(&png(&noise), "").expect("shown").into_string();
        assert!(shown.contains("data:image/jpeg") && shown.len() < png(&noise).len(), "{}", shown.len());
    }

    #[test]
    fn a_thumbnail_keeps_its_proportions_and_what_is_no_picture_is_told() {
        let small = image::load_from_memory(&thumbnail(&png(&RgbImage::new(100, 50)), 20).expect("made"));
        let small = small.expect("a picture");
        assert_eq!((small.width(), small.height()), (20, 10));
        assert!(element(b"no picture at all", "").is_err() && thumbnail(b"", 9).is_err());
        assert!(element(b"\0\0\0\x18ftypmp42", "film").expect("a film").into_string().starts_with("<video"));
    }
}
