//! States of stages in a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// State of a stage in a run. The record of an ended run contains only `cached`, `ran` and `not done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StageState {
    /// The stage was computed.
    Ran,
    /// The result was in the store.
    Cached,
    /// The worker is running.
    Running,
    /// The stage failed.
    Failed,
    /// The worker was terminated, because the run was stopped.
    Stopped,
    /// An upstream stage failed.
    Blocked,
    /// The run ended before the stage started.
    #[serde(rename = "not done")]
    NotDone,
}

impl StageState {
    /// All states.
    pub const ALL: [Self; 7] =
        [Self::Ran, Self::Cached, Self::Running, Self::Failed, Self::Stopped, Self::Blocked, Self::NotDone];

    /// Returns true if the stage has a result.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Ran | Self::Cached)
    }
}

impl fmt::Display for StageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ran => "ran",
            Self::Cached => "cached",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Blocked => "blocked",
            Self::NotDone => "not done",
        })
    }
}
