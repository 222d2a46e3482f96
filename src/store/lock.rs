//! Locks that die with their process: an advisory lock on an open file, never a file's existence.
//! An action's lock is the draft of its record: one file less to make and to remove for each.

use std::fs::{self, File, TryLockError};
use std::io::{Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Doing, Result};

use super::root::Store;

/// Pause between two attempts to take a lock that another process holds.
const POLL: Duration = Duration::from_millis(20);

/// A lock held until dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

/// Name of a lock.
pub enum LockName<'a> {
    /// Checkpoints of a training, shared by its budgets.
    Scratch(&'a Digest),
    /// Rows of a pool.
    Rows(&'a Digest),
    /// Life of a run, by its id.
    Run(&'a str),
    /// Latest results.
    Heads,
    /// Digests of raw files.
    Sources,
    /// Verdicts on a dataset.
    Curation(&'a str),
}

impl Store {
    /// Takes the lock `name` for `holder`. While another holds it, `waiting` is told who, again and
    /// again; none if it says no.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked.
    pub fn lock(
        &self,
        name: &LockName,
        holder: &str,
        waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Lock>> {
        Lock::take(self.lock_path(name), holder, waiting)
    }

    /// Returns true if a living process holds the lock `name`.
    pub fn locked(&self, name: &LockName) -> bool {
        let file = File::open(self.lock_path(name));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn lock_path(&self, name: &LockName) -> PathBuf {
        let (half, name) = match name {
            LockName::Scratch(digest) => (&self.shared, format!("scratch-{digest}")),
            LockName::Rows(pool) => (&self.shared, format!("rows-{pool}")),
            LockName::Run(id) => (&self.shared, format!("run-{id}")),
            LockName::Heads => (&self.workspace, "heads".to_owned()),
            LockName::Sources => (&self.workspace, "sources".to_owned()),
            LockName::Curation(dataset) => (&self.workspace, format!("curation-{dataset}")),
        };
        half.path("locks").join(format!("{name}.lock"))
    }
}

impl Lock {
    /// Takes the lock on the file at `path`, which is made for it.
    pub(super) fn take(
        path: PathBuf,
        holder: &str,
        mut waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Self>> {
        loop {
            let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let mut file = file.doing("cannot open", &path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if !waiting(fs::read_to_string(&path).unwrap_or_default().trim()) {
                        return Ok(None);
                    }
                    thread::sleep(POLL);
                    continue;
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
            return Ok(Some(Self { path, file }));
        }
    }

    /// Takes the lock on a file that stays, alone or with others who do not want it alone; none if
    /// that is not possible now.
    pub(super) fn try_take(path: PathBuf, alone: bool) -> Result<Option<Self>> {
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.doing("cannot open", &path)?;
        match if alone { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => Ok(Some(Self { path: PathBuf::new(), file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).doing("cannot lock", &path),
        }
    }

    /// Turns the lock's file into the file at `to`, with `text` in it, so that a reader sees all of
    /// it or none.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(super) fn turn_into(mut self, to: &Path, text: &[u8]) -> Result<()> {
        let write =
            self.file.rewind().and_then(|()| self.file.set_len(0)).and_then(|()| self.file.write_all(text));
        write.doing("cannot write", &self.path)?;
        fs::rename(&self.path, to).doing("cannot write", to)?;
        // There is nothing left to remove.
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still locked, so that nobody's fresh file is removed.
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
