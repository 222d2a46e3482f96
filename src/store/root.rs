//! A store and its halves.

use std::path::{Path, PathBuf};

use callsheet_worker::error::Result;

use super::files::create_below;
use super::half::{Half, OWN, draft_folder};
use super::pending::Pending;
use super::shared::access::{check_access, check_links, create_private, permit_group};
use super::shared::sharing::Sharing;
use crate::declare::Project;

/// Format of the stores of one project that this version reads and writes.
pub const FORMAT: u32 = OWN;

/// Format of shared stores that this version reads and writes.
pub const SHARED_FORMAT: u32 = 2;

/// A store on one file system, or the store of a project together with a shared one.
#[derive(Debug)]
pub struct Store {
    /// Results that the project computed before it used a shared store; `None` if it uses none.
    pub(super) earlier: Option<Half>,
    /// Part that several users and machines can share: objects, action records, rows, checkpoints. New results
    /// go there.
    pub(super) shared: Half,
    /// Part that belongs to one project folder: latest results, runs, pins, digests of raw files.
    pub(super) workspace: Half,
    /// Work of this process in a shared store; `None` if the project does not use one.
    pub(super) sharing: Option<Sharing>,
    pub(super) pending: Pending,
    /// True if the store had a marker when it was opened.
    marked: bool,
}

/// Folders of each half. Both halves have `staging` for files that are being written.
const SHARED: [&str; 5] = ["objects", "actions", "rows", "scratch", "staging"];
const WORKSPACE: [&str; 4] = ["latest", "runs", "locks", "staging"];
/// Folders that only a shared store has.
const SHARING: [&str; 6] = ["leases", "holders", "intents", "workspaces", "diverged", "removals"];

impl Store {
    /// Opens the store of a project. It may not exist yet.
    ///
    /// # Errors
    /// Returns an error if this version does not know the format of the store, or the shared store cannot be used.
    pub fn of(project: &Project) -> Result<Self> {
        let own = project.data.join("store");
        match &project.store {
            None => Self::open(&own),
            Some(shared) => Self::open_shared(&own, shared).map_err(|error| match &project.store_file {
                Some(file) => error.with_note(&format!(
                    "{} sets this `store`; without it, results are kept in {}",
                    file.display(),
                    own.display()
                )),
                None => error,
            }),
        }
    }

    /// Opens the store of a project on one machine: both halves are in `root`. Folders are created when
    /// something is first written to them.
    ///
    /// # Errors
    /// Returns an error if another version wrote the store in a format that this version cannot read.
    pub fn open(root: &Path) -> Result<Self> {
        let (shared, workspace) = (Half::new(root, FORMAT), Half::new(root, FORMAT));
        let marked = workspace.check_format()?;
        Ok(Self { earlier: None, shared, workspace, sharing: None, pending: Pending::default(), marked })
    }

    /// Opens the store of a project at `own` together with the shared store at `shared`, which must be a folder of a
    /// group. New files of this process get rights for the group.
    ///
    /// # Errors
    /// Returns an error if the shared folder does not exist or lacks rights for its group. Also returns an error if this
    /// version does not know the format of one of the stores.
    pub fn open_shared(own: &Path, shared: &Path) -> Result<Self> {
        check_access(shared)?;
        permit_group();
        let (earlier, workspace) = (Half::new(own, FORMAT), Half::new(own, FORMAT));
        let marked = workspace.check_format()?;
        let sharing = Some(Sharing::new(shared)?);
        let shared = Half::new(shared, SHARED_FORMAT);
        shared.check_format()?;
        let pending = Pending::default();
        Ok(Self { earlier: Some(earlier), shared, workspace, sharing, pending, marked })
    }

    /// Creates the store's folders.
    ///
    /// # Errors
    /// Returns an error if a folder or the marker cannot be created.
    pub fn create(&self) -> Result<()> {
        if self.sharing.is_none() {
            self.workspace.create_root()?;
        } else {
            create_private(self.workspace.root())?;
            if !self.shared.check_format()? {
                self.create_shared()?;
            }
            return self.workspace.create(&WORKSPACE);
        }
        self.workspace.create(&[&SHARED[..], &WORKSPACE[..]].concat())
    }

    /// Creates the folders of a new shared store. The marker comes last, so that an interrupted creation is repeated.
    fn create_shared(&self) -> Result<()> {
        let root = self.shared.root();
        let staging = self.shared.path("staging");
        create_below(root, &staging)?;
        check_links(root, &staging)?;
        self.shared.create(&[&SHARED[..], &SHARING[..]].concat())
    }

    /// Returns true if the store has its folders.
    pub fn exists(&self) -> bool {
        self.marked || self.workspace.path("locks").is_dir()
    }

    /// Folder of the web UI. It exists as soon as a server was started.
    pub fn serve_folder(&self) -> PathBuf {
        self.workspace.path("serve")
    }

    /// The halves that have results, in the order in which results are looked up.
    pub(super) fn results(&self) -> impl Iterator<Item = &Half> {
        self.earlier.iter().chain([&self.shared])
    }

    /// Folder for files that are being written; in a shared store, it belongs to this run.
    pub(super) fn staging_of_run(&self) -> PathBuf {
        let staging = self.shared.path("staging");
        match self.sharing.as_ref().and_then(Sharing::run) {
            Some(run) => staging.join(run),
            None => staging,
        }
    }

    /// The half with the results that belong to this project alone.
    pub(super) fn own_results(&self) -> &Half {
        self.earlier.as_ref().unwrap_or(&self.shared)
    }

    /// New folder in `staging/`, which is removed when dropped.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn staging(&self) -> Result<tempfile::TempDir> {
        draft_folder(&self.staging_of_run())
    }
}
