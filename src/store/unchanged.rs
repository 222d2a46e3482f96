//! The last run of each target that found nothing to do, with the trace of its reads.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::error::Result;
use serde::{Deserialize, Serialize};

use super::root::Store;
use crate::target::Target;
use crate::trace::Trace;

/// Folder of these runs.
const TRACES: &str = "traces";

/// A run that found nothing to do.
#[derive(Debug, Deserialize, Serialize)]
pub struct UpToDateRun {
    /// Folder of the project. In a copy of it, the trace would read the files of the original.
    pub root: PathBuf,
    /// The program. Another one may plan something else.
    pub program: PathBuf,
    /// Pipeline, dataset and profile. Several targets can have one path below the folder.
    pub target: Target,
    /// Title of the run, with its labels.
    pub heading: String,
    /// Number of stages that are up to date.
    pub stages: usize,
    /// All reads of the run.
    pub trace: Trace,
}

impl Store {
    /// Returns the last run that found nothing to do, if it was of this project, program and target, and its trace is still
    /// valid.
    pub fn up_to_date_run(&self, root: &Path, program: &Path, target: &Target) -> Option<UpToDateRun> {
        let text = fs::read(self.trace_path(target)).ok()?;
        let run: UpToDateRun = serde_json::from_slice(&text).ok()?;
        let is_same = run.root == root && run.program == program && run.target == *target;
        (is_same && run.trace.is_valid()).then_some(run)
    }

    /// Path of the last run of a target that found nothing to do.
    pub(super) fn trace_path(&self, target: &Target) -> PathBuf {
        self.workspace.path_of_target(TRACES, target)
    }

    /// Stores a run that found nothing to do.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn write_up_to_date_run(&self, run: &UpToDateRun) -> Result<()> {
        self.workspace.write_json(&self.trace_path(&run.target), run)
    }
}
