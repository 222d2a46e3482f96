//! Check whether a run has nothing to do because an earlier one had nothing to do and nothing has changed.

use std::env;
use std::path::PathBuf;

use super::log_reporter::{heading, nothing_to_do, results};
use crate::declare::Project;
use crate::event::Event;
use crate::plan::{Plan, Request};
use crate::run::RunSummary;
use crate::store::{Store, UpToDateRun};
use crate::trace;

/// Check of a run whose reads are traced from the start.
pub(super) struct UpToDateCheck {
    program: PathBuf,
}

impl UpToDateCheck {
    /// Starts a trace; `None` if the path of this program is unknown.
    pub(super) fn begin() -> Option<Self> {
        let program = env::current_exe().ok()?;
        trace::begin();
        // The program may be replaced by another version.
        let _ = trace::metadata(&program);
        Some(Self { program })
    }

    /// Returns the lines of a run that has nothing to do, if the trace of the last such run is valid.
    pub(super) fn lines(&self, project: &Project, store: &Store, request: &Request) -> Option<[String; 2]> {
        // A run registers in a shared store which results the project needs, and may start a command when it ends.
        if project.store.is_some() || project.notify.is_some() {
            trace::end();
            return None;
        }
        let run = store.up_to_date_run(&project.root, &self.program, &request.target)?;
        trace::end();
        Some([nothing_to_do(&run.heading, run.stages), results(&request.target.out(&project.data))])
    }

    /// Discards the trace as soon as there is something to do.
    pub(super) fn follow(&self, event: &Event) {
        if !matches!(event, Event::RunStarted { .. } | Event::Cached { .. } | Event::RunFinished { .. }) {
            trace::end();
        }
    }

    /// Stores the trace if the run found nothing to do.
    pub(super) fn finish(self, project: &Project, store: &Store, plan: &Plan, summary: &RunSummary) {
        let Some(trace) = trace::end() else { return };
        // Earlier runs may have left jobs on a cluster.
        let is_local = plan.stages.iter().all(|stage| stage.resources.executor.is_none());
        if !is_local || !summary.found_all() {
            return;
        }
        let target = plan.request.target.clone();
        let (heading, root) = (heading(&target.to_string(), &plan.labels()), project.root.clone());
        let run = UpToDateRun { root, program: self.program, target, heading, stages: summary.cached, trace };
        // If the project cannot be written, the next run plans again.
        let _ = store.write_up_to_date_run(&run);
    }
}
