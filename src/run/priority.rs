//! Priorities of the stages that are ready to run.

use std::cmp::Reverse;

use crate::plan::StageInstance;

/// Priority of a stage; the most urgent stage has the least value.
pub(super) type Priority = Reverse<u64>;

/// Returns the priority of each stage: the duration in microseconds of the longest chain of stages that
/// begins with it, where each stage takes its `seconds`. The run cannot end sooner (critical path).
pub(super) fn priorities(
    stages: &[StageInstance],
    consumers: &[Vec<usize>],
    seconds: impl Fn(&StageInstance) -> f64,
) -> Vec<Priority> {
    let mut all = vec![Reverse(0u64); stages.len()];
    // In a plan, each stage comes after the stages that it reads from.
    for (position, stage) in stages.iter().enumerate().rev() {
        let after = consumers[position].iter().map(|consumer| all[*consumer].0).max().unwrap_or_default();
        all[position] = Reverse(after.saturating_add((seconds(stage) * 1e6) as u64));
    }
    all
}
