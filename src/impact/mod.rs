//! Work that a run would do: rows of each stage, and seconds.

mod duration;
mod span;

use callsheet_figures::label::human_seconds;
use serde::Serialize;

use crate::run::{Compute, StagePreview, State};
use crate::store::Store;
use crate::target::Target;
use duration::{Samples, seconds_for};

pub use span::Span;

/// Work that a run would do.
#[derive(Clone, Debug, Serialize)]
pub struct Impact {
    /// Stages that would run, or that run unless another stage computes equal content, in the order of the plan.
    pub stages: Vec<StageImpact>,
    /// Seconds of all stages whose duration is known, one after another.
    pub seconds: Span,
    /// Number of stages whose duration is not known.
    pub unknown: usize,
}

/// Work of one stage.
#[derive(Clone, Debug, Serialize)]
pub struct StageImpact {
    /// The stage instance.
    pub stage: String,
    /// Number of rows that it would compute, if it is row-wise and its inputs are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Compute>,
    /// Seconds that this takes on this machine; `None` if the stage never ran on such a machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Span>,
}

/// Estimates the work of the stages that are not up to date. Durations come from the latest action of each stage and, for
/// row-wise stages, from the latest runs of the target.
pub fn impact(store: &Store, target: &Target, stages: &[StagePreview]) -> Impact {
    let mut samples = Samples::new(store, target);
    let open = stages.iter().filter(|stage| matches!(stage.state, State::Run { .. } | State::Maybe { .. }));
    let stages: Vec<StageImpact> = open
        .map(|preview| StageImpact {
            stage: preview.stage.clone(),
            rows: preview.compute,
            seconds: seconds(&mut samples, preview),
        })
        .collect();
    let seconds = stages.iter().filter_map(|stage| stage.seconds).sum();
    let unknown = stages.iter().filter(|stage| stage.seconds.is_none()).count();
    Impact { stages, seconds, unknown }
}

impl Impact {
    /// Estimated time, such as `about 31 s`, `up to 31 s`, or `about 0.2 s to 31 s for 2 of these stages`; `None` if no
    /// duration is known.
    pub fn time(&self) -> Option<String> {
        let [least, most] = [self.seconds.least, self.seconds.most].map(human_seconds);
        let range = if least == most {
            format!("about {most}")
        } else if least == human_seconds(0.0) {
            format!("up to {most}")
        } else {
            format!("about {least} to {most}")
        };
        let known = self.stages.len() - self.unknown;
        let these = if self.unknown > 0 { format!(" for {known} of these stages") } else { String::new() };
        (known > 0).then(|| format!("{range}{these}"))
    }
}

fn seconds(samples: &mut Samples, preview: &StagePreview) -> Option<Span> {
    if let Some(Compute { rows, open, .. }) = preview.compute {
        let known = samples.of(&preview.stage);
        let (least, most) = (seconds_for(rows, known)?.least, seconds_for(rows + open, known)?.most);
        return Some(Span { least, most });
    }
    let most = preview.seconds_here?;
    let least = if matches!(preview.state, State::Run { .. }) { most } else { 0.0 };
    Some(Span { least, most })
}
