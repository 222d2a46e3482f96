//! List of all runs with their states, also of runs that were killed.

use std::fmt;

use callsheet_worker::error::Result;
use serde::Serialize;

use super::run_log::RunLog;
use crate::store::{LockName, RunRecord, StageState, Store, position};

/// State of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Its process is alive.
    Running,
    /// Every stage has a result.
    Done,
    /// At least one stage failed.
    Failed,
    /// The user stopped it.
    Stopped,
    /// Its process ended without a record.
    Killed,
}

/// A run and its state.
#[derive(Clone, Debug, Serialize)]
pub struct HistoryEntry {
    /// Record of the run; for a run that has not ended, its events so far.
    #[serde(flatten)]
    pub run: RunRecord,
    /// State of the run.
    #[serde(rename = "end")]
    pub state: RunState,
}

/// Returns all runs, the latest first.
pub fn history(store: &Store) -> Vec<HistoryEntry> {
    latest_runs(store, usize::MAX)
}

/// Returns at most `most` runs, the latest first.
pub fn latest_runs(store: &Store, most: usize) -> Vec<HistoryEntry> {
    store.run_ids().iter().take(most).map(|id| entry(store, id)).collect()
}

/// Returns the run that `name` identifies (see [`position`]), whether or not it has ended.
///
/// # Errors
/// Returns an error if `name` identifies no run, or is the prefix of several ids.
pub fn find_run(store: &Store, name: &str) -> Result<HistoryEntry> {
    let ids = store.run_ids();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    Ok(entry(store, names[position(name, &names)?]))
}

fn entry(store: &Store, id: &str) -> HistoryEntry {
    let Some(run) = store.run(id) else {
        let state = if store.locked(&LockName::Run(id)) { RunState::Running } else { RunState::Killed };
        return HistoryEntry { run: RunLog::read(store, id).run, state };
    };
    let is_done = run.stages.values().all(|stage| stage.state.is_done());
    // The record has one state for all stages that are not done; the events have the exact state.
    let by_events = || RunLog::read(store, id).run.stages;
    let state = if is_done {
        RunState::Done
    } else if by_events().values().any(|stage| stage.state == StageState::Failed) {
        RunState::Failed
    } else {
        RunState::Stopped
    };
    HistoryEntry { run, state }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
        })
    }
}
