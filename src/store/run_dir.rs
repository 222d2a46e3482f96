//! Folder of a run: `runs/<id>/`.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};

use super::files::remove;
use super::root::Store;

/// Folder in which a run keeps its events, logs, pictures and curves.
#[derive(Clone, Debug)]
pub struct RunDir(PathBuf);

impl Store {
    /// Folder of the run `id`; it exists as soon as the run has done something.
    pub fn run_dir(&self, id: &str) -> RunDir {
        RunDir(self.workspace.path("runs").join(id))
    }
}

/// Beginning of the suffix of a log that belongs to one job of a stage.
pub const OF_JOB: &str = "job-";

impl RunDir {
    /// Path of the folder. Pictures are in its subfolder `images/`, TensorBoard files in `tensorboard/`.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Events, one JSON object per line.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.ndjson")
    }

    /// Folder of the logs.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// Log of a stage: stdout and stderr of its worker.
    pub fn log(&self, stage: &str) -> PathBuf {
        self.logs().join(format!("{stage}.log"))
    }

    /// Logs of a stage that exist: of its worker or, if jobs on a cluster computed its rows, of the worker of each job.
    pub fn logs_of(&self, stage: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.logs()).into_iter().flatten().flatten();
        let (own, of_job) = (format!("{stage}.log"), format!("{stage}.{OF_JOB}"));
        let is_of_stage = |name: &str| name == own || name.starts_with(&of_job);
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut paths: Vec<PathBuf> =
            names.filter(|name| is_of_stage(name)).map(|name| self.logs().join(name)).collect();
        paths.sort();
        paths
    }

    /// Folder of a stage's worker that failed, if it is kept.
    pub fn failed(&self, stage: &str) -> PathBuf {
        self.all_failed().join(stage)
    }

    /// Folder of all kept folders of failed workers.
    pub(super) fn all_failed(&self) -> PathBuf {
        self.0.join("failed")
    }

    /// Creates the folder of the logs.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn create_logs(&self) -> Result<()> {
        let logs = self.logs();
        fs::create_dir_all(&logs).io_context("cannot create", &logs)
    }

    /// Removes the folder, if it exists.
    ///
    /// # Errors
    /// Returns an error if something cannot be removed.
    pub fn remove(&self) -> Result<()> {
        remove(&self.0)
    }
}
