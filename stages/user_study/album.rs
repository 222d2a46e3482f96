//! Pictures of the page, each contained once as a data URI.

use std::collections::HashMap;

use anyhow::Result;
use callsheet_figures::data_uri::data_uri;
use image::RgbImage;
use rand::seq::SliceRandom;

use crate::lib::picture::{content_digest, encode_png, within};
use crate::lib::random::stream;

/// Pictures of the page.
pub(super) struct Album {
    /// Longest side in pixels; 0 is unlimited.
    side: u32,
    uris: Vec<String>,
    known: HashMap<String, usize>,
}

impl Album {
    /// Creates an empty album.
    pub(super) fn new(side: u32) -> Self {
        Self { side, uris: Vec::new(), known: HashMap::new() }
    }

    /// Adds pictures, which are reduced if they exceed the longest side. Returns their positions.
    ///
    /// # Errors
    /// Returns an error if a picture is empty.
    pub(super) fn add(&mut self, pictures: Vec<RgbImage>) -> Result<Vec<usize>> {
        pictures.into_iter().map(|picture| self.put(picture)).collect()
    }

    fn put(&mut self, picture: RgbImage) -> Result<usize> {
        let picture = within(picture, self.side)?;
        let digest = content_digest(&picture);
        if let Some(at) = self.known.get(&digest) {
            return Ok(*at);
        }
        // The encoding is lossless, because participants look for artefacts.
        self.uris.push(data_uri("image/png", &encode_png(&picture)?));
        self.known.insert(digest, self.uris.len() - 1);
        Ok(self.uris.len() - 1)
    }

    /// Returns all pictures as data URIs, in the order of their positions.
    pub(super) fn uris(&self) -> &[String] {
        &self.uris
    }
}

/// Puts a picture's pixels in random order, which keeps its colours but not its content.
pub(super) fn scrambled(picture: &RgbImage, seed: i64, index: usize) -> RgbImage {
    let mut pixels: Vec<_> = picture.pixels().copied().collect();
    pixels.shuffle(&mut stream(seed, "noise", index as u64));
    let mut noise = picture.clone();
    noise.pixels_mut().zip(pixels).for_each(|(pixel, other)| *pixel = other);
    noise
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use image::Rgb;

    use super::*;

    fn picture(shade: u8) -> RgbImage {
        RgbImage::from_fn(12, 8, |x, y| Rgb([(x * 20) as u8, (y * 30) as u8, shade]))
    }

    #[test]
    fn equal_pictures_are_stored_once_and_large_ones_are_reduced() {
        let mut album = Album::new(6);
        assert_eq!(album.add(vec![picture(0), picture(1), picture(0)]).expect("added"), [0, 1, 0]);
        assert_eq!(album.uris().len(), 2);
        let png = album.uris()[0].strip_prefix("data:image/png;base64,").expect("a data URI");
        let png = BASE64.decode(png.as_bytes()).expect("base64");
        let shown = image::load_from_memory(&png).expect("a picture").into_rgb8();
        assert_eq!(shown.dimensions(), (6, 4));
    }

    #[test]
    fn noise_has_the_colours_of_the_picture_in_another_order() {
        let noise = scrambled(&picture(9), 3, 0);
        assert_ne!(noise, picture(9));
        assert_ne!(noise, scrambled(&picture(9), 3, 1));
        let sorted = |picture: &RgbImage| {
            let mut pixels: Vec<_> = picture.pixels().map(|pixel| pixel.0).collect();
            pixels.sort_unstable();
            pixels
        };
        assert_eq!(sorted(&noise), sorted(&picture(9)));
    }
}
