//! Order of the stages that could run.

use std::cmp::Reverse;

use crate::plan::StageInstance;

/// Priority of a stage; the most urgent one is the least.
pub(super) type Priority = Reverse<u64>;

/// By the time in microseconds until the last stage of the longest chain that a stage begins is done, where each takes
/// its `seconds`: the run is over no sooner than that (the critical path).
pub(super) fn priorities(
    stages: &[StageInstance],
    consumers: &[Vec<usize>],
    seconds: impl Fn(&StageInstance) -> f64,
) -> Vec<Priority> {
    let mut all = vec![Reverse(0u64); stages.len()];
    // Stages stand after those that they read from.
    for (position, stage) in stages.iter().enumerate().rev() {
        let after = consumers[position].iter().map(|consumer| all[*consumer].0).max().unwrap_or_default();
        all[position] = Reverse(after.saturating_add((seconds(stage) * 1e6) as u64));
    }
    all
}
