//! Pictures with a fault.

use image::{RgbImage, imageops};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::lib::noise::fractal;

/// Noise of a black picture in grey levels.
const NOISE: f64 = 3.0;

/// Picture of a camera that gets almost no light: `share` of the brightness stays, and noise.
pub(super) fn black(mut picture: RgbImage, share: f64, mut rng: ChaCha8Rng) -> RgbImage {
    for value in picture.iter_mut() {
        *value = (f64::from(*value) * share + rng.random_range(0.0..NOISE)) as u8;
    }
    picture
}

/// Picture out of focus, by a Gaussian blur whose standard deviation is `share` of the height.
pub(super) fn blurred(picture: &RgbImage, share: f64) -> RgbImage {
    imageops::blur(picture, (share * f64::from(picture.height())) as f32)
}

/// Picture that is exposed `factor` times as long.
pub(super) fn clipped(mut picture: RgbImage, factor: f64) -> RgbImage {
    for value in picture.iter_mut() {
        *value = (f64::from(*value) * factor).round().min(255.0) as u8;
    }
    picture
}

/// Picture of which an object in front of the camera covers about `share`, in the full height.
pub(super) fn covered(mut picture: RgbImage, share: f64, mut rng: ChaCha8Rng) -> RgbImage {
    let (width, height) = picture.dimensions();
    let covered = ((share * f64::from(width)).round() as u32).clamp(1, width);
    let left = rng.random_range(0..=width - covered);
    let seed: u32 = rng.random();
    let colour: [f32; 3] = std::array::from_fn(|_| rng.random_range(40.0..215.0));
    let scale = 6.0 / height as f32;
    for x in left..left + covered {
        for y in 0..height {
            // Fur or feathers close to the camera: soft, with little contrast.
            let shade = 0.7 + 0.6 * fractal(seed, x as f32 * scale, y as f32 * scale, 3);
            picture.get_pixel_mut(x, y).0 = colour.map(|value| (value * shade).clamp(0.0, 255.0) as u8);
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::lib::random::stream;

    fn stripes() -> RgbImage {
        RgbImage::from_fn(60, 40, |x, _| Rgb([if x % 4 < 2 { 200 } else { 60 }, 90, 30]))
    }

    #[test]
    fn faults_change_what_their_names_say() {
        let picture = stripes();
        let dark = black(picture.clone(), 0.05, stream(0, "", 0));
        assert!(dark.iter().all(|value| *value <= 13));
        let exposed = clipped(picture.clone(), 3.0);
        assert_eq!(exposed.get_pixel(0, 0).0, [255, 255, 90]);
        let soft = blurred(&picture, 0.1);
        let inner = (12..48).map(|x| soft.get_pixel(x, 20).0[0]);
        assert!(
            inner.clone().max().zip(inner.min()).is_some_and(|(most, least)| most - least < 20),
            "no stripes"
        );
        let hidden = covered(picture.clone(), 0.5, stream(0, "", 0));
        let changed = hidden.enumerate_pixels().filter(|(x, y, pixel)| *pixel != picture.get_pixel(*x, *y));
        assert!((1100..=1200).contains(&changed.count()), "half of 60 x 40 pixels");
    }
}
