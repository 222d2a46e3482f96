//! Folder of a run: `runs/<id>/`.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{Doing, Result};

use super::root::Store;

/// Folder in which a run keeps its events, logs, pictures and curves.
#[derive(Clone, Debug)]
pub struct RunDir(PathBuf);

impl Store {
    /// Folder of the run `id`; it exists once the run has done anything.
    pub fn run_dir(&self, id: &str) -> RunDir {
        RunDir(self.workspace.path("runs").join(id))
    }
}

impl RunDir {
    /// The folder itself; pictures lie below it in `images/`, TensorBoard's files in `tensorboard/`.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Events, one JSON object per line.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.ndjson")
    }

    /// Log of a stage: stdout and stderr of its worker.
    pub fn log(&self, stage: &str) -> PathBuf {
        self.0.join("logs").join(format!("{stage}.log"))
    }

    /// Makes the folder of the logs.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create_logs(&self) -> Result<()> {
        let logs = self.0.join("logs");
        fs::create_dir_all(&logs).doing("cannot create", &logs)
    }

    /// Removes the folder, if it exists.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
