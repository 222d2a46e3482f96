//! Time that each training took to reach the quality that all reached.

use std::collections::BTreeMap;

use super::training::{Measured, QUALITY, Training};
use callsheet_figures::label::number;

/// A quality that several trainings reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    /// Best value of the training whose best value is the worst.
    value: f64,
    /// True if larger values are better.
    more: bool,
}

impl Goal {
    /// Describes the goal: `until psnr is 20.1 or more`.
    pub(super) fn shown(&self, name: &str) -> String {
        let side = if self.more { "more" } else { "less" };
        format!("until {} is {} or {side}", name.trim_start_matches(QUALITY), number(self.value))
    }
}

/// Returns for each metric whether larger values are better. They are if more trainings ended above their
/// first value than below it. A metric that rose as often as it fell is left out.
pub(super) fn directions<'a>(trainings: &'a [(&str, Training)]) -> BTreeMap<&'a str, bool> {
    let mut risen: BTreeMap<&str, i64> = BTreeMap::new();
    for (name, measured) in trainings.iter().flat_map(|(_, training)| &training.quality) {
        let mut finite = measured.iter().map(|one| one.value).filter(|value| value.is_finite());
        let (first, last) = (finite.next(), finite.next_back());
        let up = first.zip(last).map_or(0, |(first, last)| i64::from(last > first) - i64::from(last < first));
        *risen.entry(name).or_default() += up;
    }
    risen.into_iter().filter(|(_, up)| *up != 0).map(|(name, up)| (name, up > 0)).collect()
}

/// Returns the measurements of one metric of a training, which has one stage or several that continue from
/// one another. `before` is the time in seconds that passed before its first stage.
pub(super) fn measured(before: f64, stages: &[&Training], name: &str) -> Vec<Measured> {
    let mut before = before;
    let mut all = Vec::new();
    for stage in stages {
        let told = stage.quality.get(name).into_iter().flatten();
        all.extend(told.map(|told| Measured { seconds: before + told.seconds, ..*told }));
        before += stage.seconds();
    }
    all
}

/// Returns the quality that all trainings reached; none unless there are several and each has measurements.
pub(super) fn goal(trainings: &[Vec<Measured>], more: bool) -> Option<Goal> {
    let best = |measured: &Vec<Measured>| {
        let finite = measured.iter().map(|one| one.value).filter(|value| value.is_finite());
        finite.reduce(if more { f64::max } else { f64::min })
    };
    let all: Vec<f64> = trainings.iter().map(best).collect::<Option<_>>()?;
    let value = all.iter().copied().reduce(if more { f64::min } else { f64::max })?;
    (all.len() > 1).then_some(Goal { value, more })
}

/// Returns the interval in seconds in which a training reached a goal: from the last measurement before it,
/// or the start, to the first measurement that reached it.
pub(super) fn until(start: f64, measured: &[Measured], goal: Goal) -> Option<[f64; 2]> {
    let there = |value: f64| if goal.more { value >= goal.value } else { value <= goal.value };
    let first = measured.iter().position(|measured| there(measured.value))?;
    let before = first.checked_sub(1).map_or(start, |before| measured[before].seconds);
    Some([before, measured[first].seconds])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[f64]) -> Vec<Measured> {
        let seconds = (1..).map(|n| 10.0 * f64::from(n));
        seconds.zip(values).map(|(seconds, value)| Measured { seconds, value: *value }).collect()
    }

    fn training(values: &[f64], ended: f64) -> Training {
        Training {
            ended,
            quality: [("held_out/psnr".to_owned(), told(values))].into(),
            ..Training::default()
        }
    }

    #[test]
    fn equal_quality_is_the_best_of_the_training_whose_best_is_worst() {
        let all = [told(&[10.0, 18.0, 25.0]), told(&[9.0, f64::NAN, 20.0, 19.0])];
        let found = goal(&all, true).expect("one");
        assert_eq!(found.shown("held_out/psnr"), "until psnr is 20.00 or more");
        assert_eq!(until(0.0, &all[0], found), Some([20.0, 30.0]));
        assert_eq!(until(0.0, &all[1], found), Some([20.0, 30.0]));
        assert_eq!(
            until(3.0, &told(&[20.0]), found),
            Some([3.0, 10.0]),
            "the goal may have been reached at the start"
        );
        assert_eq!(until(0.0, &told(&[1.0, 2.0]), found), None);
        let falling = [told(&[0.9, 0.3]), told(&[0.8, 0.5, 0.4])];
        assert_eq!(goal(&falling, false), Some(Goal { value: 0.4, more: false }));
        assert_eq!(goal(&falling[..1], false), None, "there is nothing to compare it with");
        assert_eq!(goal(&[told(&[1.0]), told(&[f64::NAN])], true), None, "one has no finite measurement");
    }

    #[test]
    fn the_better_direction_is_that_of_most_trainings() {
        // Two trainings improve, one gets worse, and one is measured only once.
        let all = [&[15.0, 25.0][..], &[20.0, 19.9], &[1.0, 2.0, f64::NAN], &[3.0]];
        let all = all.map(|values| ("", training(values, 0.0)));
        assert_eq!(directions(&all), [("held_out/psnr", true)].into());
        assert_eq!(directions(&all[1..2]), [("held_out/psnr", false)].into());
        assert!(directions(&all[..2]).is_empty(), "the direction is not known");
    }

    #[test]
    fn the_time_of_a_stage_includes_the_stages_that_it_continues() {
        let [first, second] = [training(&[10.0], 25.0), training(&[20.0, 21.0], 90.0)];
        let seconds: Vec<f64> =
            measured(100.0, &[&first, &second], "held_out/psnr").iter().map(|one| one.seconds).collect();
        assert_eq!(seconds, [110.0, 135.0, 145.0]);
    }
}
