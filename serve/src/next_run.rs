//! Texts about the work that a run would do.

use callsheet::impact::Impact;
use callsheet::run::{Compute, StagePreview, State};
use callsheet_figures::label::counted;

/// Sentence such as `2 of 5 stages would run, and 1 may run: about 31 s.`
pub(crate) fn sentence(impact: &Impact, stages: &[StagePreview]) -> String {
    let count = |wanted: fn(&State) -> bool| stages.iter().filter(|stage| wanted(&stage.state)).count();
    let run = count(|state| matches!(state, State::Run { .. }));
    let maybe = count(|state| matches!(state, State::Maybe { .. }));
    let fails = count(|state| matches!(state, State::Fails { .. }));
    let of = counted(stages.len() as u64, "stage");
    if run + maybe + fails == 0 {
        return format!("Every stage is up to date: {of}.");
    }
    let maybe = if maybe > 0 { format!(", and {maybe} may run") } else { String::new() };
    let fails = if fails > 0 { format!("; {fails} cannot run") } else { String::new() };
    let time = impact.time().map(|time| format!(": {time}")).unwrap_or_default();
    format!("{run} of {of} would run{maybe}{fails}{time}.")
}

/// Number of rows that a stage would compute: `240 of 744`, or `0 to 240 of 744`.
pub(crate) fn rows_text(Compute { rows, open, of }: Compute) -> String {
    if open == 0 { format!("{rows} of {of}") } else { format!("{rows} to {} of {of}", rows + open) }
}
