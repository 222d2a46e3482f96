//! Robust statistics by medians, which are unaffected by faults in fewer than half of the frames.

use std::ops::Range;

/// Ratio of the standard deviation to the median absolute deviation of a normal distribution (Rousseeuw and
/// Croux 1993).
const NORMAL: f64 = 1.4826;

/// Smallest deviation on a log scale, about 20 %. Without it, tiny differences in a steady video would be
/// findings.
const LEAST_DEVIATION: f64 = 0.2;

/// Median of values, and their usual distance from it.
#[derive(Debug, PartialEq)]
pub(super) struct Usual {
    /// Median of the values.
    pub median: f64,
    /// 1.4826 times the median absolute deviation from the median, at least 0.2.
    pub deviation: f64,
}

impl Usual {
    /// Computes both for finite values on a log scale, at least one.
    pub(super) fn of(values: &[f64]) -> Self {
        let median = median(values.to_vec());
        let deviation = self::median(values.iter().map(|value| (value - median).abs()).collect());
        Self { median, deviation: (NORMAL * deviation).max(LEAST_DEVIATION) }
    }
}

/// Returns the median; for an even number of values, the mean of the two middle ones.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| even);
    lower.map_or(*upper, |lower| f64::midpoint(lower, *upper))
}

/// Returns the positions of the `window` frames around the frame at `at`, or of all `count` frames if there
/// are fewer. The window is centred, and shifted where it would pass an end.
pub(super) fn around(at: usize, count: usize, window: usize) -> Range<usize> {
    let start = at.saturating_sub(window / 2).min(count.saturating_sub(window));
    start..(start + window).min(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_of_five_moves_neither_median_nor_deviation() {
        let usual = Usual { median: 3.0, deviation: NORMAL };
        assert_eq!(Usual::of(&[1.0, 2.0, 3.0, 4.0, 5.0]), usual);
        assert_eq!(Usual::of(&[1.0, 2.0, 3.0, 4.0, 5e9]), usual);
    }

    #[test]
    fn the_deviation_is_never_0() {
        assert_eq!(Usual::of(&[7.0]), Usual { median: 7.0, deviation: 0.2 });
        assert_eq!(Usual::of(&[7.0, 8.0]).median, 7.5);
    }

    #[test]
    fn a_window_keeps_its_length_at_both_ends() {
        assert_eq!([0, 2, 5, 9].map(|at| around(at, 10, 5)), [0..5, 0..5, 3..8, 5..10]);
        assert_eq!(around(1, 2, 5), 0..2);
    }
}
