//! Folder, locks and supervisor process of a run that performs actions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, PoisonError};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::protocol::{Level, WorkerEvent};

use super::access::{SharedFolder, create_cache, shared_folders};
use super::executor::local::{EVENTS, ProcessSupervisor, can_confine};
use crate::declare::{Project, Sandbox};
use crate::store::{Lock, Staging, Store, move_folder, open_to_owner, remove_folder};

/// Sandbox of a run: its folder, locks and supervisor process. Dropping it ends the workers and removes the folder.
pub(super) struct RunSandbox {
    /// Supervisor process of the running workers.
    pub supervisor: ProcessSupervisor,
    /// Id of the process that starts the workers: of the run or, on a cluster, of a job.
    pub id: String,
    /// True in a job on a cluster. It does not wait for other runs: it ends instead.
    pub is_job: bool,
    /// Folder that workers write to, on the store's file system.
    pub staging: Staging,
    /// Git revision of the project, with `+` if tracked files were changed; `None` without git.
    pub revision: Option<String>,
    /// True if the kernel confines workers.
    pub confines: bool,
    /// True if workers get copies of their inputs, because nothing else protects the originals.
    pub copies_inputs: bool,
    /// Folders that every worker may write to.
    pub shared_folders: Vec<SharedFolder>,
    warned: AtomicBool,
    free: Mutex<Vec<PathBuf>>,
    made: AtomicUsize,
    _shared: Lock,
}

impl RunSandbox {
    /// Creates the sandbox of the process `id`, and removes the files that killed runs left.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub(super) fn new(project: &Project, store: &Store, id: &str, revision: Option<String>) -> Result<Self> {
        let confines = project.sandbox != Sandbox::Off && can_confine();
        if project.sandbox == Sandbox::Strict && !confines {
            return Err(Error::user_error(
                Code::Unsupported,
                "sandbox = \"strict\" in callsheet.toml needs Landlock, which this kernel does not have or allow",
                "use Linux 5.13 or later with Landlock enabled, or set sandbox = \"on\"",
            ));
        }
        store.create()?;
        create_cache();
        let shared = store.shared()?;
        let staging = store.run_staging(id)?;
        let supervisor = ProcessSupervisor::new(id, staging.path())?;
        Ok(Self {
            supervisor,
            id: id.to_owned(),
            is_job: false,
            staging,
            revision,
            confines,
            copies_inputs: !confines && project.sandbox != Sandbox::Off,
            warned: AtomicBool::new(false),
            shared_folders: shared_folders(project),
            free: Mutex::default(),
            made: AtomicUsize::new(0),
            _shared: shared,
        })
    }

    /// Returns a folder for one worker, which contains an empty folder `out` and nothing else.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        if let Some(folder) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(folder);
        }
        let folder = self.staging.path().join(self.made.fetch_add(1, Relaxed).to_string());
        let out = folder.join(OUT);
        // The folder of the run exists: if its file system is gone, no folder of this machine may replace it.
        fs::create_dir(&folder).and_then(|()| fs::create_dir(&out)).io_context("cannot create", &out)?;
        Ok(folder)
    }

    /// Returns the warning that workers get copies of their inputs. Only the first call of a run returns it.
    pub(super) fn warning(&self) -> Option<WorkerEvent> {
        if self.warned.swap(true, Relaxed) {
            return None;
        }
        let message = "this kernel has no Landlock (Linux 5.13 or later), so workers get copies of their inputs to \
                       protect the originals; `sandbox = \"off\"` in callsheet.toml avoids the copies";
        Some(WorkerEvent::Log { level: Level::Warning, message: message.to_owned() })
    }

    /// Moves the folder of a failed worker to `to`, or to `to` with a number if that exists. Returns its new path.
    pub(super) fn keep(&self, folder: &Path, to: &Path) -> Result<PathBuf> {
        let _ = fs::remove_file(folder.join(EVENTS));
        let parent = to.parent().unwrap_or(to);
        fs::create_dir_all(parent).io_context("cannot create", parent)?;
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let numbered = (1..).map(|attempt| to.with_file_name(format!("{name}.{attempt}")));
        let kept = [to.to_owned()].into_iter().chain(numbered).find(|path| !path.exists());
        let kept = kept.expect("some number is free");
        open_to_owner(folder)?;
        move_folder(folder, &kept).io_context("cannot move", folder)?;
        // The request names files by their paths.
        let request = kept.join(REQUEST);
        if let Ok(text) = fs::read_to_string(&request) {
            let text = text.replace(&*folder.to_string_lossy(), &kept.to_string_lossy());
            fs::write(&request, text).io_context("cannot write", &request)?;
        }
        Ok(kept)
    }

    /// Releases a worker's folder: another worker gets it if it is empty as before; otherwise it is removed.
    pub(super) fn give(&self, folder: PathBuf) {
        let _ = fs::remove_file(folder.join(REQUEST));
        let holds_only = |folder: &Path, names: &[&str]| {
            let is_known = |entry: fs::DirEntry| names.iter().any(|name| entry.file_name() == *name);
            fs::read_dir(folder).is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(is_known)))
        };
        // The pipe for events stays: on some file systems, new files become slow if many were just removed.
        if holds_only(&folder, &[OUT, EVENTS]) && holds_only(&folder.join(OUT), &[]) {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(folder);
        } else {
            let _ = remove_folder(&folder);
        }
    }
}

/// Name of the folder that a worker writes its outputs to.
pub(super) const OUT: &str = "out";
/// Name of the file with the request to a worker.
pub(super) const REQUEST: &str = "request.json";

/// Git revision of the project, with `+` if tracked files were changed; `None` without git.
pub(super) fn revision(project: &Project) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(&project.root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed { format!("{head}+") } else { head })
}
