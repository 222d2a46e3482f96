//! DCT hash of a picture (Zauner 2010, `Implementation and Benchmarking of Perceptual Image Hash
//! Functions`).

use std::f64::consts::PI;

use image::GrayImage;

use super::boxes::box_means;

/// Side of the picture that is transformed.
const SIDE: usize = 32;

/// Number of frequencies in each direction. Frequency 0 is left out, so that brightness does not affect the
/// hash.
const FREQUENCIES: usize = 8;

/// Parts of a grey level to which coefficients are rounded, so that those of a plain picture are 0.
const PARTS: f64 = 1024.0;

/// Returns a bit for each of the 64 lowest coefficients of the DCT-II of luma, set if it is above their
/// median. The order is frequencies down by frequencies across, with the lowest in the highest bit.
pub(super) fn perceptual_hash(luma: &GrayImage) -> u64 {
    let plane = box_means(luma, (SIDE as u32, SIDE as u32));
    let wave =
        |frequency: usize, x: usize| (PI * frequency as f64 * (2 * x + 1) as f64 / (2 * SIDE) as f64).cos();
    let basis: Vec<[f64; SIDE]> =
        (1..=FREQUENCIES).map(|frequency| std::array::from_fn(|x| wave(frequency, x))).collect();
    let across: Vec<Vec<f64>> = plane
        .chunks_exact(SIDE)
        .map(|row| {
            basis.iter().map(|wave| wave.iter().zip(row).map(|(w, v)| w * f64::from(*v)).sum()).collect()
        })
        .collect();
    let mut coefficients = Vec::with_capacity(FREQUENCIES * FREQUENCIES);
    for down in &basis {
        for column in 0..FREQUENCIES {
            let sum: f64 = down.iter().zip(&across).map(|(w, row)| w * row[column]).sum();
            coefficients.push((sum * PARTS).round() as i64);
        }
    }
    let mut sorted = coefficients.clone();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let twice_the_median = sorted[middle - 1] + sorted[middle];
    coefficients.iter().fold(0, |hash, value| hash << 1 | u64::from(2 * value > twice_the_median))
}

#[cfg(test)]
mod tests {
    use image::{Luma, imageops};

    use super::*;

    fn scene(x: u32, y: u32) -> Luma<u8> {
        Luma([((x * x / 17 + y * 3 + x * y / 40) % 200) as u8])
    }

    #[test]
    fn the_lowest_frequencies_are_in_the_highest_bits() {
        // One wave across and one down: only the coefficient of (1, 1) is not 0.
        let wave = |x: u32| (PI * f64::from(2 * x + 1) / 64.0).cos();
        let picture =
            GrayImage::from_fn(32, 32, |x, y| Luma([(127.5 + 120.0 * wave(x) * wave(y)).round() as u8]));
        assert_eq!(perceptual_hash(&picture) >> 63, 1);
        let negative = GrayImage::from_fn(32, 32, |x, y| Luma([255 - picture.get_pixel(x, y)[0]]));
        assert_eq!(perceptual_hash(&negative) >> 63, 0);
    }

    #[test]
    fn half_of_the_bits_are_set_and_none_of_a_plain_picture() {
        let picture = GrayImage::from_fn(320, 96, scene);
        assert_eq!(perceptual_hash(&picture).count_ones(), 32);
        assert_eq!(perceptual_hash(&GrayImage::from_pixel(7, 5, Luma([90]))), 0);
    }

    #[test]
    fn light_size_and_blur_change_few_bits_and_another_picture_many() {
        let picture = GrayImage::from_fn(320, 96, scene);
        let hash = perceptual_hash(&picture);
        let brighter = GrayImage::from_fn(320, 96, |x, y| Luma([scene(x, y)[0] + 40]));
        assert_eq!(perceptual_hash(&brighter), hash);
        let alike = [
            imageops::resize(&picture, 200, 60, imageops::FilterType::Triangle),
            imageops::blur(&picture, 1.0),
        ];
        for other in &alike {
            assert!((perceptual_hash(other) ^ hash).count_ones() <= 4);
        }
        assert!((perceptual_hash(&imageops::flip_horizontal(&picture)) ^ hash).count_ones() > 16);
    }
}
