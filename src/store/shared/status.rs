//! Projects and runs of a shared store.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use callsheet_worker::error::Result;
use serde::Serialize;

use super::workspaces::Workspace;
use crate::store::root::Store;

/// Projects and runs of a shared store.
#[derive(Debug, Serialize)]
pub struct SharedStatus {
    /// Folder of the store.
    pub path: PathBuf,
    /// Projects that use it.
    pub projects: Vec<SharedProject>,
    /// Runs that have a heartbeat.
    pub runs: Vec<SharedRun>,
}

/// Project that uses a shared store.
#[derive(Debug, Serialize)]
pub struct SharedProject {
    /// Folder of its store.
    pub path: PathBuf,
    /// User who ran it last.
    pub user: String,
    /// Machine on which it ran last.
    pub host: String,
    /// Seconds since it was registered last.
    pub seen_seconds_ago: u64,
    /// Number of results that it needs.
    pub results: usize,
}

/// Run that works in a shared store.
#[derive(Debug, Serialize)]
pub struct SharedRun {
    /// Id of the run.
    pub id: String,
    /// Its user.
    pub user: String,
    /// Its machine.
    pub host: String,
    /// Progress of its actions, by key.
    pub progress: BTreeMap<String, String>,
}

impl Store {
    /// Projects and runs of the shared store; `None` if the project uses none.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn shared_status(&self) -> Result<Option<SharedStatus>> {
        let Some(sharing) = &self.sharing else { return Ok(None) };
        self.create()?;
        let now = sharing.now(&self.shared.path("staging"))?;
        let (known, forgotten) = sharing.workspaces(now)?;
        let project = |(registration, workspace): (PathBuf, Workspace)| {
            let written = std::fs::metadata(registration).and_then(|found| found.modified());
            let seen = now.duration_since(written.unwrap_or(SystemTime::UNIX_EPOCH)).unwrap_or_default();
            let Workspace { path, user, host, needed, .. } = workspace;
            SharedProject { path, user, host, seen_seconds_ago: seen.as_secs(), results: needed.len() }
        };
        let projects = known.into_iter().chain(forgotten).map(project).collect();
        let run = |beat: super::heartbeat::Heartbeat| {
            let (holder, progress) = (beat.holder, beat.progress);
            SharedRun { id: holder.run, user: holder.user, host: holder.host, progress }
        };
        let runs = sharing.fresh_beats(now).into_iter().map(run).collect();
        Ok(Some(SharedStatus { path: sharing.root.clone(), projects, runs }))
    }
}
