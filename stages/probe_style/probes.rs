//! Probes of a style code.

use std::collections::BTreeSet;

use anyhow::Result;
use rayon::prelude::*;

use super::agreement::{adjusted_rand_index, contingency, normalized_mutual_information};
use super::ridge::Ridge;
use super::sample::Sample;
use super::scores::{Bootstrap, determination, mean};
use super::spaces::Space;
use crate::lib::codes::factors::{FACTORS, Style};
use crate::lib::codes::{Codes, Points};

/// Result of a probe: a row of the table.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// Code that is probed.
    pub code: &'static str,
    /// Method of the prediction.
    pub probe: &'static str,
    /// Property that is predicted.
    pub target: &'static str,
    /// Name of the figure.
    pub measure: String,
    /// Split of the images.
    pub evaluated_on: &'static str,
    /// The figure, and the ends of its interval; these are NaN if there is no interval.
    pub figure: [f64; 3],
    /// Figure without the code; NaN if it is not known.
    pub chance: f64,
    /// Number of images.
    pub images: usize,
    /// Number of frames.
    pub frames: usize,
}

/// A code of each image, and the parameters of its probes.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub code: &'static str,
    pub points: &'a Points,
    pub codes: &'a Codes,
    pub sample: &'a Sample,
    /// Images that a retrieval may find.
    pub searched: &'a [bool],
    pub lambda: f64,
    pub bootstrap: Bootstrap,
}

impl Subject<'_> {
    fn answer(&self, probe: &'static str, target: &'static str, measure: impl Into<String>) -> Probe {
        let (images, frames) = (self.sample.val.len(), self.sample.frames.len());
        let (code, measure, figure) = (self.code, measure.into(), [f64::NAN; 3]);
        Probe { code, probe, target, measure, evaluated_on: "val", figure, chance: 0.0, images, frames }
    }

    /// Predictions for validation images by ridge regression on training images.
    fn predictions(&self, targets: impl Fn(&[usize]) -> Points) -> Result<Points> {
        let train = &self.sample.train;
        let ridge = Ridge::fit(&self.points.choose(train), &targets(train), self.lambda)?;
        Ok(ridge.predict(&self.points.choose(&self.sample.val)))
    }

    /// Coefficient of determination of a factor as a linear function of the code; `None` if it does not vary.
    pub(super) fn factor(&self, factor: usize, styles: &[Style]) -> Result<Option<Probe>> {
        let (name, period) = FACTORS[factor];
        let targets = |rows: &[usize]| on_circle(rows.iter().map(|row| styles[*row].factors[factor]), period);
        let (wanted, found) = (targets(&self.sample.val), self.predictions(targets)?);
        let figure = determination(&self.sample.frames, &wanted, &found, self.bootstrap);
        Ok((!figure[0].is_nan()).then(|| Probe { figure, ..self.answer("linear", name, "R2") }))
    }

    /// Accuracy with which a linear function of the code identifies the crop that an image is of its frame;
    /// `None` if there are fewer than two crops, or none of them is in both splits.
    pub(super) fn leakage(&self) -> Result<Option<Probe>> {
        let crops = |rows: &[usize]| rows.iter().map(|row| self.codes.crops[*row]).collect::<Vec<i32>>();
        let (train, val) = (crops(&self.sample.train), crops(&self.sample.val));
        let classes: Vec<i32> = train.iter().copied().collect::<BTreeSet<i32>>().into_iter().collect();
        // Without a crop that is in both splits, every prediction would be wrong.
        if classes.len() < 2 || val.iter().all(|crop| !classes.contains(crop)) {
            return Ok(None);
        }
        let one_hot = |rows: &[usize]| {
            let of = |crop: i32| classes.iter().map(move |class| f64::from(u8::from(*class == crop)));
            Points::new(classes.len(), crops(rows).into_iter().flat_map(of).collect())
        };
        let found = self.predictions(one_hot)?;
        let right = |(found, crop): (&[f64], &i32)| f64::from(u8::from(classes[largest(found)] == *crop));
        let scores: Vec<f64> = found.rows().zip(&val).map(right).collect();
        let shares: Vec<f64> =
            classes.iter().map(|class| train.iter().filter(|crop| *crop == class).count() as f64).collect();
        let commonest = classes[largest(&shares)];
        let chance = val.iter().filter(|crop| **crop == commonest).count() as f64 / val.len() as f64;
        let figure = mean(&self.sample.frames, &scores, self.bootstrap);
        Ok(Some(Probe { figure, chance, ..self.answer("leakage", "crop", "accuracy") }))
    }

    /// Images that a retrieval for image `row` may find: those of other frames.
    fn others(&self, row: usize) -> impl Fn(usize) -> bool {
        move |n| self.searched[n] && self.codes.frame_ids[n] != self.codes.frame_ids[row]
    }

    /// Smallest number of images that a retrieval for a validation image may find.
    pub(super) fn findable(&self) -> usize {
        let count = |row: &usize| (0..self.codes.len()).filter(|n| self.others(*row)(*n)).count();
        self.sample.val.iter().map(count).min().unwrap_or(0)
    }

    /// Share of the `k` images of other frames that are nearest to a validation image in `space` and have its
    /// mode. `k` is at most the number of findable images.
    pub(super) fn retrieval(&self, space: &Space, styles: &[Style], k: usize) -> Probe {
        let precision = |row: &usize| {
            let other = self.others(*row);
            let alike = |n: usize| f64::from(u8::from(styles[n].mode == styles[*row].mode));
            let nearest = space.nearest(*row, k, &other);
            let hits: f64 = nearest.iter().map(|n| alike(*n)).sum();
            let (all, there) = (0..self.codes.len())
                .filter(|n| other(*n))
                .fold((0.0, 0.0), |(all, there), n| (all + 1.0, there + alike(n)));
            (hits / nearest.len() as f64, there / all)
        };
        let (scores, chances): (Vec<f64>, Vec<f64>) = self.sample.val.par_iter().map(precision).unzip();
        let figure = mean(&self.sample.frames, &scores, self.bootstrap);
        let chance = chances.iter().sum::<f64>() / chances.len() as f64;
        Probe { figure, chance, ..self.answer("retrieval", "mode", format!("precision at {k}")) }
    }
}

/// Agreement of the images' clusters with their modes; empty if no image has a cluster.
///
/// There is no interval: drawn with replacement, frames would agree with themselves.
pub(super) fn clusters(codes: &Codes, clusters: &[Option<i32>], styles: &[Style]) -> Vec<Probe> {
    let rows: Vec<usize> = (0..codes.len()).filter(|row| clusters[*row].is_some()).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let labels: Vec<(&str, Option<i32>)> =
        rows.iter().map(|row| (styles[*row].mode.as_str(), clusters[*row])).collect();
    let counts = contingency(&labels);
    let frames = rows.iter().map(|row| codes.frame_ids[*row].as_str()).collect::<BTreeSet<&str>>().len();
    // The mutual information of random labels is above 0 by an unknown amount.
    let figures = [
        ("NMI", normalized_mutual_information(&counts), f64::NAN),
        ("ARI", adjusted_rand_index(&counts), 0.0),
    ];
    let answer = |(measure, value, chance): (&str, f64, f64)| Probe {
        code: "style clusters",
        probe: "agreement",
        target: "mode",
        measure: measure.to_owned(),
        evaluated_on: "train",
        figure: [value, f64::NAN, f64::NAN],
        chance,
        images: rows.len(),
        frames,
    };
    figures.map(answer).to_vec()
}

/// Converts a factor to the values that are predicted: the factor itself or, if it is periodic, the sine and
/// cosine of its angle.
fn on_circle(values: impl Iterator<Item = f64>, period: Option<f64>) -> Points {
    let Some(period) = period else { return Points::new(1, values.collect()) };
    let angles = values.map(|value| std::f64::consts::TAU * value / period);
    Points::new(2, angles.flat_map(|angle| <[f64; 2]>::from(angle.sin_cos())).collect())
}

/// Returns the position of the largest value, the first if there are several.
fn largest(values: &[f64]) -> usize {
    (0..values.len()).rev().max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_before_and_after_midnight_are_near_each_other() {
        let points = on_circle([23.9, 0.1, 12.0].into_iter(), Some(24.0));
        assert!(points.nearest(0, 1, |n| n != 0)[0].0 == 1);
        assert!((points.row(2)[1] + 1.0).abs() < 1e-12, "the cosine at noon");
        assert_eq!(on_circle([0.25].into_iter(), None), Points::new(1, vec![0.25]));
    }

    #[test]
    fn of_equally_large_values_the_first_is_taken() {
        assert_eq!([largest(&[1.0, 3.0, 3.0]), largest(&[2.0, 1.0]), largest(&[])], [1, 0, 0]);
    }
}
