//! Locks that die with their process: an advisory lock on an open file, never a file's existence.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Store;
use crate::error::{Doing, Result};

/// A lock held until dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Store {
    /// Takes the lock `name` for `holder`. If another holds it, `waiting` is told who, once.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked.
    pub fn lock(&self, name: &str, holder: &str, waiting: impl FnOnce(&str)) -> Result<Lock> {
        let path = self.path("locks").join(format!("{name}.lock"));
        let mut waiting = Some(waiting);
        loop {
            let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let mut file = file.doing("cannot open", &path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting(fs::read_to_string(&path).unwrap_or_default().trim());
                    }
                    file.lock().doing("cannot lock", &path)?;
                }
                Err(TryLockError::Error(error)) => return Err(error).doing("cannot lock", &path),
            }
            // Its last holder has removed the file: what was locked is out of reach for others.
            let locked = file.metadata().doing("cannot lock", &path)?;
            if !fs::metadata(&path).is_ok_and(|there| there.ino() == locked.ino()) {
                continue;
            }
            // Only to tell those who wait: a full disk is found out about where it matters.
            let _ = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
            return Ok(Lock { path, _file: file });
        }
    }

    /// Whether a living process holds the lock `name`.
    pub fn locked(&self, name: &str) -> bool {
        let file = File::open(self.path("locks").join(format!("{name}.lock")));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still locked, so that nobody's fresh file is removed.
        let _ = fs::remove_file(&self.path);
    }
}
