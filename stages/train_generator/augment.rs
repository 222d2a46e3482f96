//! Augmentation of training images: an image is enlarged with some probability, and then a random square is
//! cut out, at one place of A and B.

use anyhow::Result;
use callsheet_worker::user_error;
use image::RgbImage;
use image::imageops::crop_imm;
use rand::Rng;
use rayon::prelude::*;
use tch::Tensor;

use crate::lib::data::{Pairs, to_picture, to_tensor};
use crate::lib::nn::generator::SIDE_MULTIPLE;
use crate::lib::picture::resized;
use crate::lib::random::stream;

/// Augmentation of images.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Augmentation {
    /// Side of the squares in pixels.
    pub side: i64,
    /// Factors by which an image is enlarged, each with its probability.
    enlarge: Vec<(f64, f64)>,
    seed: i64,
}

impl Augmentation {
    /// Cuts squares of `crop` pixels from images of `stored` pixels; 0, or more pixels than the image has, is
    /// the complete image. `enlarge` is a list of `factor:probability`, separated by commas.
    ///
    /// # Errors
    /// Returns an error if `enlarge` is malformed, or the width of a square is not a multiple of 8 pixels.
    pub(super) fn new(crop: i64, enlarge: &str, stored: i64, seed: i64) -> Result<Self> {
        let side = if crop == 0 { stored } else { crop.min(stored) };
        if side % SIDE_MULTIPLE != 0 {
            return Err(user_error(
                format!(
                    "images have a side of {side} pixels, but the networks require a multiple of \
                     {SIDE_MULTIPLE}"
                ),
                format!("set pair_images.side, or `crop` of the stage, to a multiple of {SIDE_MULTIPLE}"),
            ));
        }
        let malformed = || {
            user_error(
                format!("enlarge = \"{enlarge}\" is not a valid list of factors and probabilities"),
                "use a list such as \"1.25:0.5, 1.5:0.25\" (by 1.25 with probability 0.5, by 1.5 with 0.25)",
            )
        };
        let parts = enlarge.split(',').map(str::trim).filter(|part| !part.is_empty());
        let pair = |part: &str| {
            let (factor, probability) = part.split_once(':')?;
            Some((factor.trim().parse::<f64>().ok()?, probability.trim().parse::<f64>().ok()?))
        };
        let enlarge: Option<Vec<(f64, f64)>> = parts.map(pair).collect();
        let enlarge = enlarge.ok_or_else(malformed)?;
        let sane = |(factor, probability): &(f64, f64)| {
            (1.0..=8.0).contains(factor) && (0.0..=1.0).contains(probability)
        };
        let total: f64 = enlarge.iter().map(|(_, probability)| probability).sum();
        if !enlarge.iter().all(sane) || total > 1.0 {
            return Err(malformed());
        }
        Ok(Self { side, enlarge, seed })
    }

    /// Returns true if images are used as they are stored.
    pub(super) fn is_none(&self, stored: i64) -> bool {
        self.side == stored && self.enlarge.is_empty()
    }

    /// Returns the images A and B of `rows`, [N, 3, side, side] in 0..255, augmented for step `step` and
    /// `purpose`. They depend only on the arguments and the seed.
    ///
    /// # Errors
    /// Returns an error if an image cannot be enlarged.
    pub(super) fn images(
        &self,
        pairs: &Pairs,
        rows: &[i64],
        purpose: &str,
        step: u64,
    ) -> Result<[Tensor; 2]> {
        if self.is_none(pairs.side()) {
            let rows = Tensor::from_slice(rows);
            return Ok([pairs.a.index_select(0, &rows), pairs.b.index_select(0, &rows)]);
        }
        let pictures: Vec<[RgbImage; 2]> =
            rows.iter().map(|row| [&pairs.a, &pairs.b].map(|all| to_picture(&all.get(*row)))).collect();
        let varied: Vec<[RgbImage; 2]> = pictures
            .par_iter()
            .enumerate()
            .map(|(at, pair)| self.varied(pair, purpose, step * rows.len() as u64 + at as u64))
            .collect::<Result<_>>()?;
        Ok([0, 1].map(|half| {
            let tensors: Vec<Tensor> = varied.iter().map(|pair| to_tensor(&pair[half])).collect();
            Tensor::stack(&tensors, 0)
        }))
    }

    fn varied(&self, pair: &[RgbImage; 2], purpose: &str, draw: u64) -> Result<[RgbImage; 2]> {
        let mut random = stream(self.seed, purpose, draw);
        let mut left: f64 = random.random();
        let factor = self.enlarge.iter().find(|(_, probability)| {
            left -= probability;
            left < 0.0
        });
        let factor = factor.map_or(1.0, |(factor, _)| *factor);
        let enlarged = |picture: &RgbImage| {
            let side = |pixels: u32| (f64::from(pixels) * factor).round() as u32;
            resized(picture.clone(), side(picture.width()), side(picture.height()))
        };
        let pair = [enlarged(&pair[0])?, enlarged(&pair[1])?];
        let side = self.side as u32;
        let mut place = |pixels: u32| random.random_range(0..=pixels.saturating_sub(side));
        let (x, y) = (place(pair[0].width()), place(pair[0].height()));
        Ok(pair.map(|picture| crop_imm(&picture, x, y, side, side).to_image()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns one pair of 16 pixels; B is A with inverted red and green.
    fn pairs() -> Pairs {
        let a = RgbImage::from_fn(16, 16, |x, y| image::Rgb([x as u8 * 10, y as u8 * 10, 0]));
        let b = RgbImage::from_fn(16, 16, |x, y| image::Rgb([255 - x as u8 * 10, 255 - y as u8 * 10, 0]));
        let of = |picture| to_tensor(picture).unsqueeze(0);
        Pairs { image_ids: vec!["1".into()], frame_ids: vec!["1".into()], a: of(&a), b: of(&b) }
    }

    #[test]
    fn the_same_square_is_cut_out_of_both_and_any_step_can_be_recomputed() {
        let (pairs, augmentation) = (pairs(), Augmentation::new(8, "1.5:0.5", 16, 3).expect("sane"));
        let mut seen = Vec::new();
        for step in 0..20 {
            let [a, b] = augmentation.images(&pairs, &[0], "augmentation", step).expect("images");
            assert_eq!(a.size(), [1, 3, 8, 8]);
            let sum = (a.to_kind(tch::Kind::Int) + b.to_kind(tch::Kind::Int)).narrow(1, 0, 2);
            assert!((sum - 255).abs().max().int64_value(&[]) <= 1, "step {step}");
            assert_eq!(augmentation.images(&pairs, &[0], "augmentation", step).expect("images")[0], a);
            seen.push(a);
        }
        assert!(seen.iter().any(|a| *a != seen[0]));
    }

    #[test]
    fn whole_images_are_seen_as_they_are_stored() {
        let augmentation = Augmentation::new(256, "", 16, 0).expect("sane");
        assert!(augmentation.is_none(16));
        assert_eq!(augmentation.images(&pairs(), &[0], "augmentation", 5).expect("images")[0], pairs().a);
    }

    #[test]
    fn shares_are_parsed_and_invalid_values_are_refused() {
        let facades = Augmentation::new(8, "1.25:0.5, 1.5:0.25", 16, 0).expect("sane");
        assert_eq!(facades.enlarge, [(1.25, 0.5), (1.5, 0.25)]);
        for wrong in ["2", "0.5:0.5", "1.2:0.7, 1.5:0.7", "x:y"] {
            let error = Augmentation::new(8, wrong, 16, 0).expect_err(wrong).to_string();
            assert!(error.contains(wrong), "{error}");
        }
        assert!(Augmentation::new(0, "", 12, 0).is_err());
    }
}
