//! Options and summary of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callsheet_worker::error::Error;

use super::executor::local::Machine;
use crate::plan::Plan;
use crate::store::{LatestResult, StageResult};

/// Options of a run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Resources for all workers together.
    pub machine: Machine,
    /// Stages that are computed even if their result is in the store.
    pub force: BTreeSet<String>,
    /// Executor of the stages that name none; `None` for this machine.
    pub on: Option<String>,
    /// If given, only these stages may be computed.
    pub only: Option<BTreeSet<String>>,
    /// The plan before stages were selected; none if all were.
    pub whole: Option<Plan>,
    /// A failure stops the run, instead of only the stages that depend on it.
    pub fail_fast: bool,
    /// Keeps the work folders of workers that fail.
    pub keep_failed: bool,
    /// Keeps nothing but results: they are not shown in `data/out` and do not become the latest results, and
    /// the run is not listed.
    pub ephemeral: bool,
}

/// Summary of a run.
#[derive(Debug, Default)]
pub struct RunSummary {
    /// Number of stages whose result was in the store.
    pub cached: usize,
    /// Number of stages that ran.
    pub ran: usize,
    /// Stages that failed, with their errors.
    pub failed: Vec<(String, Error)>,
    /// True if the run was stopped before its end.
    pub stopped: bool,
    /// Result of each stage; empty if nothing had to run, and nothing new is shown.
    pub stages: BTreeMap<String, StageResult>,
    /// Id of the run whose record lists these results; none if the run left no record.
    pub run: Option<String>,
    /// Error that prevents every stage from running.
    pub(super) refused: Option<Error>,
    /// Latest action of each stage whose latest action changed.
    pub(super) heads: BTreeMap<String, Arc<LatestResult>>,
}

impl RunSummary {
    /// Returns true if there was nothing to do, and nothing new is shown.
    pub fn found_all(&self) -> bool {
        self.ran == 0 && self.failed.is_empty() && !self.stopped && self.heads.is_empty()
    }
}
