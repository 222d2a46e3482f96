//! Folders that survive a kill: checkpoints of long stages, rows that a worker has returned.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Doing, Result};

use super::root::Store;

/// A scratch folder. Stages that differ only in a budget share it.
#[derive(Clone, Debug)]
pub struct Scratch(PathBuf);

impl Store {
    /// Scratch folder of a training or of a row pool.
    pub fn scratch(&self, digest: &Digest) -> Scratch {
        Scratch(self.shared.path("scratch").join(digest.to_string()))
    }
}

impl Scratch {
    /// The folder, which may not exist yet.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(&self) -> Result<()> {
        fs::create_dir_all(&self.0).doing("cannot create", &self.0)
    }

    /// Returns true if something lies in it.
    pub fn is_used(&self) -> bool {
        fs::read_dir(&self.0).is_ok_and(|mut files| files.next().is_some())
    }

    /// Removes the folder, if it exists.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
