//! Brightness of a picture, and the shares of clipped pixels.

use image::{GrayImage, RgbImage};

/// Largest luma of a black pixel: 10 % of the scale, as in ffmpeg's `blackdetect`.
const BLACK: usize = 25;

/// Channel values up to which a channel counts as 0, and from which it counts as 255, because video rounds.
const LOWEST: u8 = 1;
const HIGHEST: u8 = 254;

/// Brightness of a picture.
#[derive(Debug, PartialEq)]
pub(super) struct Exposure {
    /// Mean of luma, 0..255.
    pub luma_mean: f64,
    /// Standard deviation of luma over all pixels.
    pub luma_deviation: f64,
    /// Share of black pixels.
    pub black_share: f64,
    /// Share of pixels at the lower end in every channel: shadows without detail. In a saturated colour, a
    /// single channel is at the lower end, too.
    pub clipped_low_share: f64,
    /// Share of pixels at the upper end in some channel: a highlight whose colour is lost.
    pub clipped_high_share: f64,
}

impl Exposure {
    /// Measures a picture with its luma.
    pub(super) fn of(picture: &RgbImage, luma: &GrayImage) -> Self {
        let mut histogram = [0u64; 256];
        luma.as_raw().iter().for_each(|value| histogram[usize::from(*value)] += 1);
        let (mut low, mut high) = (0u64, 0u64);
        for [r, g, b] in picture.as_raw().as_chunks::<3>().0 {
            let most = *r.max(g).max(b);
            low += u64::from(most <= LOWEST);
            high += u64::from(most >= HIGHEST);
        }
        let pixels = luma.as_raw().len() as f64;
        let levels = || histogram.iter().enumerate().map(|(level, count)| (level as f64, *count as f64));
        let mean = levels().map(|(level, count)| level * count).sum::<f64>() / pixels;
        let squares: f64 = levels().map(|(level, count)| (level - mean).powi(2) * count).sum();
        Self {
            luma_mean: mean,
            luma_deviation: (squares / pixels).sqrt(),
            black_share: histogram[..=BLACK].iter().sum::<u64>() as f64 / pixels,
            clipped_low_share: low as f64 / pixels,
            clipped_high_share: high as f64 / pixels,
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, imageops};

    use super::*;

    fn exposure(pixels: &[[u8; 3]]) -> Exposure {
        let picture = RgbImage::from_fn(pixels.len() as u32, 1, |x, _| Rgb(pixels[x as usize]));
        Exposure::of(&picture, &imageops::grayscale(&picture))
    }

    #[test]
    fn mean_and_deviation_are_of_luma() {
        let grey = exposure(&[[10; 3], [30; 3]]);
        assert_eq!((grey.luma_mean, grey.luma_deviation), (20.0, 10.0));
        // 0.2126, 0.7152 and 0.0722 of 100, truncated.
        assert_eq!(exposure(&[[100, 0, 0]]).luma_mean, 21.0);
        assert_eq!(exposure(&[[0, 100, 0]]).luma_mean, 71.0);
        assert_eq!(exposure(&[[0, 0, 100]]).luma_mean, 7.0);
    }

    #[test]
    fn black_ends_at_a_tenth_of_the_scale() {
        assert_eq!(exposure(&[[25; 3], [26; 3], [0; 3], [255; 3]]).black_share, 0.5);
    }

    #[test]
    fn shadows_are_lost_in_every_channel_and_highlights_in_one() {
        let lost = exposure(&[[0, 1, 0], [0, 0, 2], [255, 0, 0], [253, 253, 254], [253; 3]]);
        assert_eq!((lost.clipped_low_share, lost.clipped_high_share), (0.2, 0.4));
    }
}
