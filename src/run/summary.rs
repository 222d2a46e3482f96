//! Options and summary of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callsheet_worker::error::Error;

use super::executor::local::Machine;
use crate::store::{Head, StageResult};

/// Options of a run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Resources for all workers together.
    pub machine: Machine,
    /// Stages that are computed even if their result is in the store.
    pub force: BTreeSet<String>,
    /// If given, only these may be computed.
    pub only: Option<BTreeSet<String>>,
    /// A failure stops the run instead of what depends on it alone.
    pub fail_fast: bool,
    /// Leave no trace but results: they are neither shown nor the latest, the run is in no list.
    pub unseen: bool,
}

/// Summary of a run.
#[derive(Debug, Default)]
pub struct RunSummary {
    /// Stages whose result was found.
    pub cached: usize,
    /// Stages that ran.
    pub ran: usize,
    /// Stages that failed, and why.
    pub failed: Vec<(String, Error)>,
    /// The run was ended before its time.
    pub stopped: bool,
    /// Result of each stage; filled in if the run did anything.
    pub stages: BTreeMap<String, StageResult>,
    /// Reason why no stage can run at all.
    pub(super) refused: Option<Error>,
    /// Latest actions that are others than before.
    pub(super) heads: BTreeMap<String, Arc<Head>>,
}

impl RunSummary {
    /// Returns true if there was nothing to do, and nothing new is shown.
    pub fn found_all(&self) -> bool {
        self.ran == 0 && self.failed.is_empty() && !self.stopped && self.heads.is_empty()
    }
}
