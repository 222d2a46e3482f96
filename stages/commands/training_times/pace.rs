//! Duration of a step.

use super::estimate::{Value, student};
use super::training::Training;

/// Smallest number of spans of time from which an interval is computed.
const LEAST_SPANS: usize = 5;

/// Mean seconds per step of a training with these stages. Its 95 % confidence interval comes from the
/// differences between successive spans of time, so that a warm-up with shorter steps does not count as
/// noise. Returns none if a stage reported fewer than two steps.
pub(super) fn pace(stages: &[&Training]) -> Option<Value> {
    let (mut seconds, mut steps, mut variance) = (0.0, 0.0, 0.0);
    let (mut enough, mut degrees) = (true, f64::INFINITY);
    for stage in stages {
        let spans: Vec<(f64, f64)> =
            stage.steps.windows(2).map(|two| ((two[1].0 - two[0].0) as f64, two[1].1 - two[0].1)).collect();
        let own_steps: f64 = spans.iter().map(|(steps, _)| steps).sum();
        let own_seconds: f64 = spans.iter().map(|(_, seconds)| seconds).sum();
        if spans.is_empty() {
            return None;
        }
        // Spans are weighted by their steps, as in the estimate of a ratio (Cochran 1977, section 2.11).
        // Their variance is half the mean square of successive differences (von Neumann et al. 1941), which
        // has two thirds of the usual degrees of freedom.
        let over = |(steps, seconds): &(f64, f64)| seconds - own_seconds / own_steps * steps;
        let squares: f64 = spans.windows(2).map(|two| (over(&two[1]) - over(&two[0])).powi(2)).sum();
        let count = spans.len() as f64;
        variance += count * squares / 2.0 / (count - 1.0);
        degrees = f64::min(degrees, 2.0 * (count - 1.0) / 3.0);
        (seconds, steps) = (seconds + own_seconds, steps + own_steps);
        enough &= spans.len() >= LEAST_SPANS;
    }
    let mean = seconds / steps;
    let half = enough.then(|| student(degrees) * variance.sqrt() / steps);
    (steps > 0.0).then(|| Value { value: mean, ends: half.map(|half| [(mean - half).max(0.0), mean + half]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(steps: &[(u64, f64)]) -> Training {
        Training { steps: steps.to_vec(), ..Training::default() }
    }

    fn half(value: &Value) -> f64 {
        let [low, high] = value.ends.expect("an interval");
        assert!((high + low - 2.0 * value.value).abs() < 1e-9, "{value:?}");
        (high - low) / 2.0
    }

    /// Spans of 10 steps that take 10, 30, 20, 15 and 25 s. Their differences are 20, -10, -5 and 10, and
    /// half the mean of the squared differences is 78.1.
    const EVEN: [(u64, f64); 6] = [(10, 0.0), (20, 10.0), (30, 40.0), (40, 60.0), (50, 75.0), (60, 100.0)];

    #[test]
    fn the_pace_is_the_mean_of_all_steps_and_spans_give_its_interval() {
        let even = pace(&[&training(&EVEN)]).expect("a pace");
        assert_eq!(even.value, 2.0);
        assert!((half(&even) / (student(8.0 / 3.0) * (5.0 * 78.1f64).sqrt() / 50.0) - 1.0).abs() < 1e-3);
        // A last span of one step, which includes a checkpoint, counts as one step.
        let uneven = pace(&[&training(&[&EVEN[..], &[(61, 122.0)]].concat())]).expect("a pace");
        assert!((uneven.value - 122.0 / 51.0).abs() < 1e-12);
        assert!(uneven.ends.is_some_and(|[low, high]| low >= 0.0 && high < 4.0), "{uneven:?}");
        let few = pace(&[&training(&EVEN[..5])]);
        assert_eq!(few, Some(Value { value: 1.875, ends: None }), "too few spans");
        assert_eq!(pace(&[&training(&EVEN[..1])]), None);
    }

    #[test]
    fn a_warm_up_with_faster_steps_is_not_noise() {
        // Half of the steps take 1 s, then half take 3 s.
        let at = |step: u64| (step + 2 * step.saturating_sub(500)) as f64;
        let slower = training(&(0..=1000).map(|step| (step, at(step))).collect::<Vec<_>>());
        let slower = pace(&[&slower]).expect("a pace");
        assert!(slower.value == 2.0 && half(&slower) < 0.003, "{slower:?}");
    }

    #[test]
    fn stages_that_continue_one_another_are_weighted_by_their_steps() {
        let (one, other) = (training(&EVEN), training(&EVEN.map(|(step, at)| (3 * step, 6.0 * at))));
        let both = pace(&[&one, &other]).expect("a pace");
        assert_eq!(both.value, (100.0 + 600.0) / (50.0 + 150.0));
        // The sum of five spans has a standard deviation of 19.8 s for the first stage, and six times that
        // for the second. Both stages have 200 steps in all.
        assert!((half(&both) / (student(8.0 / 3.0) * 19.76f64.hypot(118.6) / 200.0) - 1.0).abs() < 1e-3);
        assert_eq!(pace(&[&one, &training(&[])]), None, "one of them is not known");
    }
}
