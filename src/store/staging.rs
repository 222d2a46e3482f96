//! Folder in which the workers of a run write.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callsheet_worker::error::{IoContext, Result};

use super::files::remove_folder;
use super::lock::{Lock, LockName};
use super::root::Store;

/// Age after which a file in `staging/` counts as left behind by a killed process.
const STALE: Duration = Duration::from_secs(3600);

/// Folder of a run in `staging/`. The run counts as alive until this value is dropped.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    _alive: Option<Lock>,
}

impl Store {
    /// Creates the folder of the run `id`, and removes the folders and files that killed runs left behind.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn run_staging(&self, id: &str) -> Result<Staging> {
        let alive = self.lock(&LockName::Run(id), id, |_| true)?;
        let path = self.shared.path("staging").join(id);
        if let Some(sharing) = &self.sharing {
            sharing.begin(id)?;
            fs::create_dir(&path).io_context("cannot create", &path)?;
            sharing.remove_leftovers(&self.shared.path("staging"), &path);
        } else {
            self.clean_staging()?;
            fs::create_dir(&path).io_context("cannot create", &path)?;
        }
        Ok(Staging { path, _alive: alive })
    }

    /// Removes the folders of runs that have ended, and old files that were never renamed into place.
    fn clean_staging(&self) -> Result<()> {
        let staging = self.shared.path("staging");
        for entry in fs::read_dir(&staging).io_context("cannot list", &staging)?.flatten() {
            let path = entry.path();
            let old =
                || entry.metadata().and_then(|found| found.modified()).is_ok_and(|time| age(time) > STALE);
            if path.is_dir() {
                if !self.locked(&LockName::Run(&entry.file_name().to_string_lossy())) {
                    let _ = remove_folder(&path);
                }
            } else if old() {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

fn age(time: std::time::SystemTime) -> Duration {
    time.elapsed().unwrap_or_default()
}

impl Staging {
    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
