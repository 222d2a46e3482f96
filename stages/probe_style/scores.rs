//! Scores of predictions for the images of frames.

use crate::compare_methods::bootstrap::{Group, interval, percentiles};
use crate::lib::codes::Points;

/// Parameters of the intervals.
#[derive(Clone, Copy)]
pub(super) struct Bootstrap {
    /// Number of draws of frames.
    pub resamples: usize,
    /// Seed of the draws.
    pub seed: i64,
}

/// Positions of images, grouped by frame in the order of the frames.
pub(super) type Frames = Vec<Vec<usize>>;

/// Sums over images.
#[derive(Clone, Default)]
struct Moments {
    images: f64,
    /// Sum of squared differences between predictions and targets.
    errors: f64,
    /// Sum of squared targets.
    squares: f64,
    /// Sum of each target.
    sums: Vec<f64>,
}

impl Moments {
    fn total<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.images += part.images;
            all.errors += part.errors;
            all.squares += part.squares;
            all.sums.resize(part.sums.len(), 0.0);
            all.sums.iter_mut().zip(&part.sums).for_each(|(sum, more)| *sum += more);
        }
        all
    }

    /// Returns the coefficient of determination; NaN if the targets do not vary.
    fn determination(&self) -> f64 {
        let around_mean = self.squares - self.sums.iter().map(|sum| sum * sum).sum::<f64>() / self.images;
        // For equal targets, only rounding errors remain.
        if around_mean > 1e-12 * self.squares { 1.0 - self.errors / around_mean } else { f64::NAN }
    }
}

/// Returns the coefficient of determination R2 of predictions, and the ends of its interval. The squares of
/// several targets are summed before the division. 1 is exact, 0 is as good as the mean of the targets; NaN
/// if these do not vary.
pub(super) fn determination(
    frames: &Frames,
    wanted: &Points,
    found: &Points,
    bootstrap: Bootstrap,
) -> [f64; 3] {
    let mean = wanted.mean();
    let of_image = |image: usize| {
        let (wanted, found) = (wanted.row(image), found.row(image));
        let centred: Vec<f64> = wanted.iter().zip(&mean).map(|(y, mean)| y - mean).collect();
        Moments {
            images: 1.0,
            errors: wanted.iter().zip(found).map(|(a, b)| (a - b).powi(2)).sum(),
            squares: centred.iter().map(|y| y * y).sum(),
            sums: centred,
        }
    };
    let images: Vec<Moments> = (0..wanted.len()).map(of_image).collect();
    let of_frame = |frame: &Vec<usize>| Moments::total(frame.iter().map(|image| &images[*image]));
    let each: Vec<Moments> = frames.iter().map(of_frame).collect();
    percentiles(frames.len(), bootstrap.resamples, bootstrap.seed, |chosen| {
        Moments::total(chosen.map(|frame| &each[frame])).determination()
    })
}

/// Returns the mean of the images' scores, and the ends of its interval.
pub(super) fn mean(frames: &Frames, scores: &[f64], bootstrap: Bootstrap) -> [f64; 3] {
    let of = |images: &Vec<usize>| (images.iter().map(|image| scores[*image]).sum::<f64>(), images.len());
    let groups: Vec<Group> = frames.iter().map(of).collect();
    interval(&groups, bootstrap.resamples, bootstrap.seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 500, seed: 0 };

    #[test]
    fn r2_is_the_share_of_squares_that_is_explained() {
        let frames = vec![vec![0, 1], vec![2, 3]];
        let wanted = Points::new(1, vec![1.0, 1.0, 3.0, 3.0]);
        let of =
            |found: [f64; 4]| determination(&frames, &wanted, &Points::new(1, found.to_vec()), BOOTSTRAP);
        assert_eq!(of([1.0, 1.0, 3.0, 3.0]), [1.0; 3]);
        assert_eq!(of([2.0; 4])[0], 0.0);
        // The errors are 1 + 0 + 0 + 1, and the squares 4.
        assert_eq!(of([2.0, 1.0, 3.0, 4.0])[0], 0.5);
        assert_eq!(of([3.0, 3.0, 1.0, 1.0])[0], -3.0);
    }

    #[test]
    fn targets_of_one_factor_are_judged_together_and_one_that_does_not_vary_has_none() {
        let frames = vec![vec![0], vec![1]];
        let wanted = Points::new(2, vec![1.0, 5.0, -1.0, 5.0]);
        // The second target does not vary: its error counts, its squares are 0.
        let found = Points::new(2, vec![1.0, 5.0, -1.0, 6.0]);
        assert_eq!(determination(&frames, &wanted, &found, BOOTSTRAP)[0], 0.5);
        let equal = Points::new(1, vec![0.1, 0.1]);
        assert!(determination(&frames, &equal, &equal, BOOTSTRAP)[0].is_nan());
    }

    #[test]
    fn the_interval_is_over_frames_and_holds_the_mean() {
        let frames: Frames = (0..20).map(|frame| vec![2 * frame, 2 * frame + 1]).collect();
        let scores: Vec<f64> = (0..40).map(|image| f64::from(image / 2 % 2)).collect();
        let [found, low, high] = mean(&frames, &scores, BOOTSTRAP);
        // Twenty throws of a coin have a standard error of sqrt(0.25 / 20).
        let half = 1.96 * (0.25f64 / 20.0).sqrt();
        assert_eq!(found, 0.5);
        assert!((high - low - 2.0 * half).abs() < 0.25 * half, "{low} to {high}");
    }
}
