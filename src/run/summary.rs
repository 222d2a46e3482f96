//! How to run, and how a run went.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callsheet_worker::error::Error;

use super::executor::local::Machine;
use crate::store::{Head, StageResult};

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// What all workers together may use.
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

/// How a run went.
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
    /// What became of each stage; filled in when the run did anything.
    pub stages: BTreeMap<String, StageResult>,
    /// Why no stage can run at all.
    pub(super) refused: Option<Error>,
    /// Latest actions that are others than before.
    pub(super) heads: BTreeMap<String, Arc<Head>>,
}

impl RunSummary {
    /// Whether there was nothing to do, and nothing is shown that was not before.
    pub fn found_all(&self) -> bool {
        self.ran == 0 && self.failed.is_empty() && !self.stopped && self.heads.is_empty()
    }
}
