//! Folders that survive a killed run: checkpoints of long stages, and rows that a worker has returned.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};

use super::root::Store;

/// Scratch folder. Actions that differ only in a budget share one folder.
#[derive(Clone, Debug)]
pub struct Scratch(PathBuf);

impl Store {
    /// Scratch folder of a training or of a row pool.
    pub fn scratch(&self, digest: &Digest) -> Scratch {
        Scratch(self.shared.path("scratch").join(digest.to_string()))
    }
}

impl Scratch {
    /// Path of the folder, which may not exist yet.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates the folder.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn create(&self) -> Result<()> {
        fs::create_dir_all(&self.0).io_context("cannot create", &self.0)
    }

    /// Returns true if the folder contains anything.
    pub fn is_used(&self) -> bool {
        fs::read_dir(&self.0).is_ok_and(|mut files| files.next().is_some())
    }

    /// Removes the folder, if it exists.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
