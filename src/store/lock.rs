//! Locks that end with their process: advisory locks on open files. The existence of a file is never a lock.
//! The lock of an action is the draft of its record, which saves one file per action.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};

use super::root::Store;

/// Pause between two attempts to take a lock that another process holds.
const POLL: Duration = Duration::from_millis(20);

/// Lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

/// Name of a lock.
pub enum LockName<'a> {
    /// Checkpoints of a training, which all its budgets share.
    Scratch(&'a Digest),
    /// Rows of a pool.
    Rows(&'a Digest),
    /// Run that is alive, by its id.
    Run(&'a str),
    /// Latest results.
    LatestResults,
    /// Digests of raw files.
    Sources,
    /// Verdicts on a dataset.
    Curation(&'a str),
}

impl fmt::Display for LockName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            LockName::Scratch(digest) => write!(f, "scratch-{digest}"),
            LockName::Rows(pool) => write!(f, "rows-{pool}"),
            LockName::Run(id) => write!(f, "run-{id}"),
            LockName::LatestResults => f.write_str("latest"),
            LockName::Sources => f.write_str("sources"),
            LockName::Curation(file) => write!(f, "curation-{}", file.replace('/', "-")),
        }
    }
}

impl Store {
    /// Takes the lock `name` for `holder`. While another process holds the lock, calls `waiting` with the
    /// name of its holder before every further attempt. Returns `None` if `waiting` returns false.
    ///
    /// # Errors
    /// Returns an error if the lock file cannot be created or locked.
    pub fn lock(
        &self,
        name: &LockName,
        holder: &str,
        waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Lock>> {
        Lock::take(self.lock_path(name), holder, waiting)
    }

    /// Returns true if a running process holds the lock `name`.
    pub fn locked(&self, name: &LockName) -> bool {
        let file = File::open(self.lock_path(name));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    pub(super) fn lock_path(&self, name: &LockName) -> PathBuf {
        self.workspace.path("locks").join(format!("{name}.lock"))
    }
}

impl Lock {
    /// Takes the lock on the file at `path`, and creates the file if it does not exist.
    pub(super) fn take(
        path: PathBuf,
        holder: &str,
        mut waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Self>> {
        loop {
            let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let mut file = file.io_context("cannot open", &path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if !waiting(fs::read_to_string(&path).unwrap_or_default().trim()) {
                        return Ok(None);
                    }
                    thread::sleep(POLL);
                    continue;
                }
                Err(TryLockError::Error(error)) => return Err(error).io_context("cannot lock", &path),
            }
            // If the last holder has removed the file, other processes cannot see this lock: try again.
            let locked = file.metadata().io_context("cannot lock", &path)?;
            if !fs::metadata(&path).is_ok_and(|there| there.ino() == locked.ino()) {
                continue;
            }
            // The name only informs waiting processes, so a failure (a full disk) is ignored here.
            let _ = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
            return Ok(Some(Self { path, file }));
        }
    }

    /// Takes the lock on a permanent file: exclusively if `alone`, otherwise shared. Returns `None` if
    /// another process holds a lock that excludes this one.
    pub(super) fn try_take(path: PathBuf, alone: bool) -> Result<Option<Self>> {
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.or_else(|error| match error.kind() {
            // A project that cannot be written can be read; several readers may share the lock.
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied if !alone => {
                File::open(&path).map_err(|_| error)
            }
            _ => Err(error),
        });
        let file = file.io_context("cannot open", &path)?;
        match if alone { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => Ok(Some(Self { path: PathBuf::new(), file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).io_context("cannot lock", &path),
        }
    }

    /// Writes `text` to the lock's file and renames the file to `to`, so that a reader sees all of the text
    /// or none.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written or renamed.
    pub(super) fn turn_into(mut self, to: &Path, text: &[u8]) -> Result<()> {
        let write =
            self.file.rewind().and_then(|()| self.file.set_len(0)).and_then(|()| self.file.write_all(text));
        write.io_context("cannot write", &self.path)?;
        fs::rename(&self.path, to).io_context("cannot write", to)?;
        // The lock's file has been renamed, so `drop` must not remove it.
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file is removed while it is still locked, so that the new file of another process is never
        // removed.
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
