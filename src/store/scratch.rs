//! Folders that survive a killed run: checkpoints of long stages, and rows that a worker has returned.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};

use super::files::{entries, remove};
use super::root::Store;
use super::shared::attempt::{State, states};

/// Scratch folder. Actions that differ only in a budget share one folder.
#[derive(Clone, Debug)]
pub struct Scratch {
    path: PathBuf,
    /// True in a shared store, where only garbage collection removes the folder itself.
    stays: bool,
    /// Newer folders of other runs that could not be read.
    skipped: Vec<PathBuf>,
}

impl Store {
    /// Scratch folder of work that the caller has claimed: of a training or of a row pool. In a shared store it belongs to
    /// this run, and begins with the files of the run before, which may have been in the project's own store.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn claimed_scratch(&self, digest: &Digest) -> Result<Scratch> {
        let earlier = self.earlier.as_ref().map(|own| own.path("scratch").join(digest.to_string()));
        self.attempt(digest, earlier.as_deref())
    }

    fn attempt(&self, digest: &Digest, earlier: Option<&Path>) -> Result<Scratch> {
        let scratch = self.scratch(digest);
        match &self.sharing {
            None => Ok(scratch),
            Some(sharing) => {
                let (path, skipped) = sharing.attempt(&scratch.path, earlier, &self.staging_of_run())?;
                Ok(Scratch { path, skipped, ..scratch })
            }
        }
    }

    /// Folder for the rows that a worker gets and returns. It may not exist yet, and its user may remove it.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn spool(&self, pool: &Digest) -> Result<PathBuf> {
        let scratch = self.attempt(pool, None)?;
        Ok(if scratch.stays { scratch.path.join("rows") } else { scratch.path })
    }

    /// Scratch folder of work that nobody has claimed.
    pub fn scratch(&self, digest: &Digest) -> Scratch {
        let path = self.shared.path("scratch").join(digest.to_string());
        Scratch { path, stays: self.sharing.is_some(), skipped: Vec::new() }
    }
}

/// State of the files in a scratch folder at one time.
#[derive(PartialEq)]
pub struct ScratchState(Vec<State>);

impl ScratchState {
    /// Progress of earlier attempts: the time of the newest file in nanoseconds since 1970, or 0 if there is none.
    pub fn progress(&self) -> u64 {
        let nanoseconds =
            self.0.iter().map(|(.., seconds, nanoseconds)| seconds * 1_000_000_000 + nanoseconds);
        nanoseconds.max().map_or(0, |newest| newest.max(1) as u64)
    }
}

impl Scratch {
    /// Path of the folder, which may not exist yet.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Newer folders of other runs that could not be read, so that this one begins with older files.
    pub fn skipped(&self) -> &[PathBuf] {
        &self.skipped
    }

    /// Creates the folder.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn create(&self) -> Result<()> {
        // `scratch/` exists since the run began.
        match fs::create_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made.io_context("cannot create", &self.path),
        }
    }

    /// State of the files in the folder, which differs after a checkpoint was written.
    pub fn state(&self) -> ScratchState {
        ScratchState(states(&self.path).unwrap_or_default())
    }

    /// Removes the files in the folder, if it exists.
    pub fn remove(&self) {
        let all = if self.stays { entries(&self.path).unwrap_or_default() } else { vec![self.path.clone()] };
        all.iter().for_each(|path| drop(remove(path)));
    }
}
