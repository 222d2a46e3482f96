//! Reduction of pictures by averaging, without rounding.

use std::ops::Range;

use image::{ImageBuffer, Pixel};

/// Returns the mean of each channel over each box of a grid of `(columns, rows)`, row by row, in 0..255.
/// Box `i` of `n` covers pixels `i * length / n` to `(i + 1) * length / n`, at least one.
pub(super) fn box_means<P>(picture: &ImageBuffer<P, Vec<u8>>, (columns, rows): (u32, u32)) -> Vec<f32>
where
    P: Pixel<Subpixel = u8>,
{
    let channels = usize::from(P::CHANNEL_COUNT);
    let across = spans(picture.width(), columns);
    let stride = picture.width() as usize * channels;
    let mut means = Vec::with_capacity(columns as usize * rows as usize * channels);
    let mut sums = vec![0u64; across.len() * channels];
    for lines in spans(picture.height(), rows) {
        sums.fill(0);
        for line in lines.clone() {
            let line = &picture.as_raw()[line * stride..][..stride];
            for (sums, span) in sums.chunks_exact_mut(channels).zip(&across) {
                for pixel in line[span.start * channels..span.end * channels].chunks_exact(channels) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u64::from(*value));
                }
            }
        }
        for (sums, span) in sums.chunks_exact(channels).zip(&across) {
            let pixels = (span.len() * lines.len()) as f64;
            means.extend(sums.iter().map(|sum| (*sum as f64 / pixels) as f32));
        }
    }
    means
}

fn spans(length: u32, count: u32) -> Vec<Range<usize>> {
    let (length, count) = (length as usize, count as usize);
    let span = |i: usize| {
        let start = i * length / count;
        start..((i + 1) * length / count).max(start + 1)
    };
    (0..count).map(span).collect()
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma, RgbImage};

    use super::*;

    #[test]
    fn boxes_cover_a_picture_without_gaps() {
        assert_eq!(spans(5, 2), [0..2, 2..5]);
        let picture = GrayImage::from_fn(5, 2, |x, y| Luma([(10 * x + y) as u8]));
        assert_eq!(box_means(&picture, (2, 1)), [5.5, 30.5]);
        assert_eq!(box_means(&picture, (1, 2)), [20.0, 21.0]);
    }

    #[test]
    fn channels_are_averaged_apart() {
        let picture = RgbImage::from_fn(2, 2, |x, y| image::Rgb([x as u8, y as u8 * 100, 7]));
        assert_eq!(box_means(&picture, (1, 1)), [0.5, 50.0, 7.0]);
    }

    #[test]
    fn a_picture_smaller_than_the_grid_repeats_its_pixels() {
        let picture = GrayImage::from_fn(2, 1, |x, _| Luma([x as u8]));
        assert_eq!(box_means(&picture, (4, 2)), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    }
}
