//! Durations of row-wise stages by the number of rows that they compute.

use std::collections::BTreeMap;

use super::span::Span;
use crate::store::{StageState, Store, cpu_kind};
use crate::target::Target;

/// Number of latest runs whose durations are used.
const RUNS: usize = 20;

/// Rows that an action computed, and the seconds that it took.
pub(super) type Sample = (u64, f64);

/// Samples of the stages in the latest runs of a target, read when first needed.
pub(super) struct Samples<'a> {
    store: &'a Store,
    target: &'a Target,
    read: Option<BTreeMap<String, Vec<Sample>>>,
}

impl<'a> Samples<'a> {
    pub(super) fn new(store: &'a Store, target: &'a Target) -> Self {
        Self { store, target, read: None }
    }

    /// Returns the samples of a stage on CPUs of this machine's kind.
    pub(super) fn of(&mut self, stage: &str) -> &[Sample] {
        let read = self.read.get_or_insert_with(|| samples(self.store, self.target));
        read.get(stage).map_or(&[], Vec::as_slice)
    }
}

fn samples(store: &Store, target: &Target) -> BTreeMap<String, Vec<Sample>> {
    let mut samples: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    let runs = store.run_ids().into_iter().filter_map(|id| store.run(&id));
    for run in runs.filter(|run| run.target == *target).take(RUNS) {
        for (stage, result) in run.stages.into_iter().filter(|(_, result)| result.state == StageState::Ran) {
            let Some(made) = result.key.and_then(|key| store.record(&key)).map(|record| record.provenance)
            else {
                continue;
            };
            let is_comparable = made.cpu.is_empty() || made.cpu == cpu_kind();
            if let Some(rows) = made.computed_rows.filter(|_| is_comparable) {
                samples.entry(stage).or_default().push((rows, made.seconds));
            }
        }
    }
    samples
}

/// Estimates the seconds that a stage needs for this number of rows: a time to start, and an equal time for each row. Both
/// come from the samples with the fewest and the most rows. Samples with one number of rows give a range: all of their time
/// may have been the start, or none of it.
pub(super) fn seconds_for(rows: u64, samples: &[Sample]) -> Option<Span> {
    if rows == 0 {
        return Some(Span::default());
    }
    let used = samples.iter().filter(|(rows, _)| *rows > 0);
    let (few, quick) = *used.clone().min_by_key(|(rows, _)| *rows)?;
    let (many, slow) = *used.rev().max_by_key(|(rows, _)| *rows)?;
    if many == few {
        let each = slow * rows as f64 / many as f64;
        return Some(Span { least: each.min(slow), most: each.max(slow) });
    }
    let each = ((slow - quick) / (many - few) as f64).max(0.0);
    let start = (quick - each * few as f64).max(0.0);
    let seconds = start + each * rows as f64;
    Some(Span { least: seconds, most: seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seconds_of_a_stage_are_a_start_and_an_equal_time_for_each_row() {
        let range = |rows, samples: &[Sample]| seconds_for(rows, samples).map(|span| (span.least, span.most));
        assert_eq!(range(0, &[]), Some((0.0, 0.0)));
        assert_eq!(range(10, &[]), None, "the stage never ran");
        assert_eq!(range(10, &[(0, 0.1)]), None, "the stage has never computed a row");
        assert_eq!(range(10, &[(100, 20.0)]), Some((2.0, 20.0)));
        assert_eq!(range(200, &[(100, 20.0), (100, 30.0)]), Some((20.0, 40.0)), "the latest counts");
        let samples = [(100, 12.0), (50, 9.0), (10, 3.0), (0, 0.1)];
        assert_eq!(range(20, &samples), Some((4.0, 4.0)), "2 s to start, and 0.1 s for each row");
        assert_eq!(range(1000, &samples), Some((102.0, 102.0)));
        let noisy = [(100, 2.0), (10, 3.0)];
        assert_eq!(range(20, &noisy), Some((3.0, 3.0)), "more rows never take less time");
    }
}
