//! Locks that die with their process: an advisory lock on an open file, never a file's existence.

use std::fs::{self, File, TryLockError};

use super::Store;
use crate::error::{Doing, Result};

/// A lock held until dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] File);

impl Store {
    /// Takes the lock `name`, waiting for whoever holds it; `waiting` is called once if so.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked.
    pub fn lock(&self, name: &str, waiting: impl FnOnce()) -> Result<Lock> {
        let path = self.path("locks").join(format!("{name}.lock"));
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.doing("cannot open", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock().doing("cannot lock", &path)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).doing("cannot lock", &path),
        }
        Ok(Lock(file))
    }
}
