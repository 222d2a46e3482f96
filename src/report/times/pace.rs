//! How long a step takes.

use super::training::Training;

/// Spans of time that an interval needs at least.
const LEAST_SPANS: usize = 5;

/// Seconds a step takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// The mean.
    pub mean: f64,
    /// Of its estimate; none of too few spans.
    error: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Error {
    /// Standard deviation.
    deviation: f64,
    /// How many spans it is known from, less those that means took.
    degrees: f64,
}

impl Pace {
    /// Of trainings taken together; none where no two steps were told of one. Each counts by its steps.
    pub fn of(trainings: &[&Training]) -> Option<Self> {
        let (mut seconds, mut steps, mut variance, mut degrees) = (0.0, 0.0, 0.0, 0.0);
        let mut enough = true;
        for training in trainings {
            let spans: Vec<(f64, f64)> = (training.steps.windows(2))
                .map(|two| ((two[1].0 - two[0].0) as f64, two[1].1 - two[0].1))
                .collect();
            let own: f64 = spans.iter().map(|(steps, _)| steps).sum();
            let mean = spans.iter().map(|(_, seconds)| seconds).sum::<f64>() / own;
            if spans.is_empty() {
                return None;
            }
            // The variance of a ratio's estimate (Cochran 1977, section 2.11): spans count by their steps.
            let squares: f64 = spans.iter().map(|(steps, seconds)| (seconds - mean * steps).powi(2)).sum();
            let count = spans.len() as f64;
            variance += count / (count - 1.0) * squares;
            degrees += count - 1.0;
            (seconds, steps) = (seconds + mean * own, steps + own);
            enough &= spans.len() >= LEAST_SPANS;
        }
        let error = enough.then(|| Error { deviation: variance.sqrt() / steps, degrees });
        (steps > 0.0).then(|| Self { mean: seconds / steps, error })
    }

    /// Ends of the interval of 95 % confidence.
    pub fn interval(&self) -> Option<[f64; 2]> {
        let half = self.error.map(|error| student(error.degrees) * error.deviation)?;
        Some([(self.mean - half).max(0.0), self.mean + half])
    }

    /// How many times as long a step of `other` takes, and the ends of the interval of 95 % confidence.
    pub fn faster_than(&self, other: &Self) -> (f64, Option<[f64; 2]>) {
        let ratio = other.mean / self.mean;
        let interval = self.error.zip(other.error).map(|(own, others)| {
            // Errors that are small beside their means add up as squares of relative ones.
            let relative = (own.deviation / self.mean).hypot(others.deviation / other.mean);
            let half = student(own.degrees.min(others.degrees)) * ratio * relative;
            [(ratio - half).max(0.0), ratio + half]
        });
        (ratio, interval)
    }
}

/// Deviations that 95 % of Student's t distribution lie within, to 2 % from 4 degrees of freedom on (Abramowitz and Stegun
/// 1964, 26.7.5).
fn student(degrees: f64) -> f64 {
    let z: f64 = 1.959_964;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    z + first / degrees + second / degrees.powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(steps: &[(u64, f64)]) -> Training {
        Training { steps: steps.to_vec(), ..Training::default() }
    }

    /// Spans of 10 steps that take 10, 30, 20, 15 and 25 s: 1, 3, 2, 1.5, 2.5 s a step, whose deviation is 0.79.
    const EVEN: [(u64, f64); 6] = [(10, 0.0), (20, 10.0), (30, 40.0), (40, 60.0), (50, 75.0), (60, 100.0)];

    #[test]
    fn a_step_takes_the_mean_of_all_in_an_interval_by_spans_that_count_by_their_steps() {
        let even = Pace::of(&[&training(&EVEN)]).expect("a pace");
        let [low, high] = even.interval().expect("an interval");
        let half = 2.776 * (0.625f64 / 5.0).sqrt();
        assert_eq!(even.mean, 2.0);
        assert!((high - 2.0 - half).abs() < 0.02 * half && (2.0 - low - half).abs() < 0.02 * half);
        // A last step that holds a checkpoint counts as one step.
        let uneven = Pace::of(&[&training(&[&EVEN[..], &[(61, 122.0)]].concat())]).expect("a pace");
        assert!((uneven.mean - 122.0 / 51.0).abs() < 1e-12);
        assert!(uneven.interval().is_some_and(|[low, high]| low >= 0.0 && high < 4.0), "{uneven:?}");
        let few = Pace::of(&[&training(&EVEN[..5])]).expect("a pace");
        assert_eq!((few.mean, few.interval()), (1.875, None), "too few spans");
        assert_eq!(Pace::of(&[&training(&EVEN[..1])]), None);
    }

    #[test]
    fn of_trainings_that_follow_one_another_each_counts_by_its_steps() {
        let slow = training(&EVEN.map(|(step, at)| (3 * step, 6.0 * at)));
        let (one, other) = (training(&EVEN), &slow);
        let both = Pace::of(&[&one, other]).expect("a pace");
        assert_eq!(both.mean, (100.0 + 600.0) / (50.0 + 150.0));
        // Each deviates by 2 and 12 s of a span, as root of five spans' squares by 17.7 and 106 s, over 200 steps.
        let half = 2.306 * (17.68f64).hypot(106.07) / 200.0;
        let [low, high] = both.interval().expect("an interval");
        assert!(((high - low) / 2.0 / half - 1.0).abs() < 0.02, "{low} to {high}, not {half}");
        assert_eq!(Pace::of(&[&one, &training(&[])]), None, "one of them is not known");
    }

    #[test]
    fn a_training_is_faster_by_the_ratio_of_paces_in_an_interval_of_both_s_errors() {
        let [own, other] = [1.0, 3.0].map(|factor| {
            Pace::of(&[&training(&EVEN.map(|(step, at)| (step, factor * at)))]).expect("a pace")
        });
        let (ratio, interval) = own.faster_than(&other);
        let half = 2.776 * 3.0 * 2f64.sqrt() * 0.353_55 / 2.0;
        let [low, high] = interval.expect("an interval");
        assert!(ratio == 3.0 && ((high - low) / 2.0 / half - 1.0).abs() < 0.02, "{low} to {high}");
        let few = Pace::of(&[&training(&EVEN[..3])]).expect("a pace");
        assert_eq!(own.faster_than(&few).1, None);
    }

    #[test]
    fn student_s_quantiles_are_those_of_tables() {
        for (degrees, wanted) in [(4.0, 2.776), (10.0, 2.228), (30.0, 2.042), (1000.0, 1.962)] {
            assert!((student(degrees) / wanted - 1.0).abs() < 0.02, "{degrees}");
        }
    }
}
