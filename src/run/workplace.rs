//! Folder, locks and supervisor process of a run that has something to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use callsheet_worker::error::{Doing, Result};

use super::executor::local::Supervisor;
use crate::declare::Project;
use crate::store::{Lock, Staging, Store};

/// A run's workplace. Dropped, its workers are gone and its folder is removed.
pub(super) struct Workplace {
    /// The workers at work.
    pub supervisor: Supervisor,
    /// Folder that workers write to, on the store's file system.
    pub staging: Staging,
    /// Git revision of the project, with `+` if tracked files were changed; none without git.
    pub revision: Option<String>,
    free: Mutex<Vec<PathBuf>>,
    made: AtomicUsize,
    _shared: Lock,
}

impl Workplace {
    /// The workplace of run `id`; what killed runs left is removed.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(super) fn new(project: &Project, store: &Store, id: &str) -> Result<Self> {
        store.create()?;
        let shared = store.shared()?;
        let staging = store.run_staging(id)?;
        store.run_dir(id).create_logs()?;
        let supervisor = Supervisor::new(id, staging.path())?;
        Ok(Self {
            supervisor,
            staging,
            revision: revision(project),
            free: Mutex::default(),
            made: AtomicUsize::new(0),
            _shared: shared,
        })
    }

    /// A folder for one worker, with an empty folder `out` in it and nothing else.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        if let Some(folder) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(folder);
        }
        let folder = self.staging.path().join(self.made.fetch_add(1, Relaxed).to_string());
        let out = folder.join(OUT);
        fs::create_dir_all(&out).doing("cannot create", &out)?;
        Ok(folder)
    }

    /// Takes a folder back, for another worker if it is as it was given.
    pub(super) fn give(&self, folder: PathBuf) {
        let _ = fs::remove_file(folder.join(REQUEST));
        let holds = |folder: &Path, wanted: usize| fs::read_dir(folder).is_ok_and(|e| e.count() == wanted);
        if holds(&folder, 1) && holds(&folder.join(OUT), 0) {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(folder);
        } else {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Name of the folder that a worker writes its outputs to.
pub(super) const OUT: &str = "out";
/// Name of the file that tells a worker what to do.
pub(super) const REQUEST: &str = "request.json";

fn revision(project: &Project) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(&project.root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed { format!("{head}+") } else { head })
}
