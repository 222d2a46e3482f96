//! Confidence intervals of measurements of images that come in groups.

use rand::Rng;

use crate::lib::random::stream;

/// Sum and number of the finite values of a group.
pub(crate) type Group = (f64, usize);

/// Returns the mean over all values, and the ends of its [`percentiles`].
pub(crate) fn interval(groups: &[Group], resamples: usize, seed: i64) -> [f64; 3] {
    percentiles(groups.len(), resamples, seed, |chosen| {
        let (sum, count) = chosen.fold((0.0, 0), |(sum, count), at| {
            let (more, others) = groups[at];
            (sum + more, count + others)
        });
        sum / count as f64
    })
}

/// Returns a statistic of all groups, and the ends of its 95 % confidence interval by the bootstrap (Efron
/// 1979). The ends are percentiles of the statistic over draws with replacement. Complete groups are drawn,
/// because images of one frame are alike. Draws for which the statistic is NaN are left out. With fewer than
/// two groups, the ends are NaN.
pub(crate) fn percentiles(
    groups: usize,
    resamples: usize,
    seed: i64,
    statistic: impl Fn(&mut dyn Iterator<Item = usize>) -> f64,
) -> [f64; 3] {
    let all = statistic(&mut (0..groups));
    if groups < 2 {
        return [all, f64::NAN, f64::NAN];
    }
    let mut random = stream(seed, "bootstrap", 0);
    let mut drawn: Vec<f64> = (0..resamples)
        .map(|_| statistic(&mut (0..groups).map(|_| random.random_range(0..groups))))
        .filter(|value| !value.is_nan())
        .collect();
    drawn.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (share * drawn.len().saturating_sub(1) as f64).round() as usize;
        drawn.get(place).copied().unwrap_or(f64::NAN)
    };
    [all, at(0.025), at(0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_closed_form_s_of_many_values() {
        // Values 0, 1, .., 399: the standard error of their mean is sqrt((n^2 - 1) / 12 / n).
        let groups: Vec<Group> = (0..400).map(|n| (f64::from(n), 1)).collect();
        let [mean, low, high] = interval(&groups, 4000, 0);
        let half = 1.96 * ((400f64.powi(2) - 1.0) / 12.0 / 400.0).sqrt();
        assert_eq!(mean, 199.5);
        assert!((mean - low - half).abs() < 0.05 * half, "{low}, not {}", mean - half);
        assert!((high - mean - half).abs() < 0.05 * half, "{high}, not {}", mean + half);
    }

    #[test]
    fn images_of_one_frame_are_drawn_together_and_widen_the_interval() {
        let single: Vec<Group> = (0..40).map(|n| (f64::from(n / 8), 1)).collect();
        let frames: Vec<Group> = (0..5).map(|n| (8.0 * f64::from(n), 8)).collect();
        let width = |groups: &[Group]| {
            let [mean, low, high] = interval(groups, 2000, 0);
            assert_eq!(mean, 2.0);
            high - low
        };
        assert!(width(&frames) > 2.0 * width(&single));
        let [mean, low, high] = interval(&frames[..1], 2000, 0);
        assert!(mean == 0.0 && low.is_nan() && high.is_nan());
    }
}
