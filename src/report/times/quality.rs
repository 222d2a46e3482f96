//! How long trainings took until each was as good as all became.

use super::training::{Measured, Training};

/// A quality that several trainings reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// The best of the one whose best is worst.
    pub value: f64,
    /// Whether more is better.
    up: bool,
}

/// What was measured of a training under a name, of one stage or of several that each go on from the one before; nothing
/// where their time is not known.
pub fn measured(stages: &[&Training], name: &str) -> Vec<Measured> {
    if stages.iter().any(|stage| stage.continued) {
        return Vec::new();
    }
    let mut before = 0.0;
    let mut all = Vec::new();
    for stage in stages {
        let told = stage.quality.get(name).into_iter().flatten();
        all.extend(told.map(|told| Measured { seconds: before + told.seconds, ..*told }));
        before += stage.seconds();
    }
    all
}

/// What all trainings that measured something reached; more is better where most ended with more than they began with.
/// None unless there are several.
pub fn goal(trainings: &[Vec<Measured>]) -> Option<Goal> {
    let values = |measured: &Vec<Measured>| -> Vec<f64> {
        measured.iter().map(|measured| measured.value).filter(|value| value.is_finite()).collect()
    };
    let all: Vec<Vec<f64>> = trainings.iter().map(values).filter(|values| !values.is_empty()).collect();
    if all.len() < 2 {
        return None;
    }
    let rising = all.iter().filter(|values| values[values.len() - 1] > values[0]).count();
    let up = 2 * rising > all.len();
    let best = |values: &Vec<f64>| values.iter().copied().reduce(if up { f64::max } else { f64::min });
    let value = all.iter().filter_map(best).reduce(if up { f64::min } else { f64::max })?;
    Some(Goal { value, up })
}

/// Seconds between which a training reached a goal: when it was last measured before that, and when first since.
pub fn until(measured: &[Measured], goal: Goal) -> Option<[f64; 2]> {
    let there = |value: f64| if goal.up { value >= goal.value } else { value <= goal.value };
    let first = measured.iter().position(|measured| there(measured.value))?;
    let before = first.checked_sub(1).map_or(0.0, |before| measured[before].seconds);
    Some([before, measured[first].seconds])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[f64]) -> Vec<Measured> {
        (1..)
            .zip(values)
            .map(|(step, value)| Measured { step, seconds: 10.0 * step as f64, value: *value })
            .collect()
    }

    #[test]
    fn equal_quality_is_the_best_of_the_training_whose_best_is_worst() {
        let all = [told(&[10.0, 18.0, 25.0]), told(&[9.0, f64::NAN, 20.0, 19.0])];
        let found = goal(&all).expect("one");
        assert_eq!(found, Goal { value: 20.0, up: true });
        assert_eq!(until(&all[0], found), Some([20.0, 30.0]));
        assert_eq!(until(&all[1], found), Some([20.0, 30.0]));
        assert_eq!(until(&told(&[20.0]), found), Some([0.0, 10.0]), "it may have been so from the start");
        assert_eq!(until(&told(&[1.0, 2.0]), found), None);
        let falling = [told(&[0.9, 0.3]), told(&[0.8, 0.5, 0.4])];
        assert_eq!(goal(&falling), Some(Goal { value: 0.4, up: false }));
        assert_eq!(goal(&falling[..1]), None, "there is nothing to compare it with");
        assert_eq!(goal(&[told(&[1.0]), told(&[]), told(&[f64::NAN])]), None, "nor here");
    }

    #[test]
    fn a_stage_that_goes_on_from_another_has_taken_its_time_as_well() {
        let stage = |values: &[f64], last: f64| Training {
            steps: vec![(1, 10.0), (9, last)],
            quality: [("held_out/psnr".to_owned(), told(values))].into(),
            ..Training::default()
        };
        let [first, second] = [stage(&[10.0], 25.0), stage(&[20.0, 21.0], 90.0)];
        let seconds = |stages: &[&Training]| -> Vec<f64> {
            measured(stages, "held_out/psnr").iter().map(|measured| measured.seconds).collect()
        };
        assert_eq!(seconds(&[&first, &second]), [10.0, 25.0 + 10.0, 25.0 + 20.0]);
        let resumed = Training { continued: true, ..stage(&[10.0], 25.0) };
        assert!(seconds(&[&resumed, &second]).is_empty(), "its time is not known");
    }
}
