//! Folders of a store, and its JSON files.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pending::Pending;
use crate::declare::Project;

/// Format of the stores that this version reads and writes.
pub const FORMAT: u32 = 1;

/// Prefix of the file that marks a store's format; the number of the format follows.
const MARKER: &str = "format-";

/// A store on one file system.
#[derive(Debug)]
pub struct Store {
    /// Part that several users and machines can share: objects, action records, rows, checkpoints.
    pub(super) shared: Half,
    /// Part that belongs to one project folder: latest results, runs, pins, digests of raw files.
    pub(super) workspace: Half,
    pub(super) pending: Pending,
    /// True if the store had a marker when it was opened.
    marked: bool,
}

/// One of the two folders of a store; they may be the same folder.
#[derive(Debug)]
pub(super) struct Half(PathBuf);

/// Folders of each half. Both halves have `locks`, and `staging` for files that are being written.
const SHARED: [&str; 6] = ["objects", "actions", "rows", "scratch", "locks", "staging"];
const WORKSPACE: [&str; 4] = ["latest", "runs", "locks", "staging"];

impl Store {
    /// Opens the store of a project. It may not exist yet.
    ///
    /// # Errors
    /// Returns an error if this version does not know the format of the store.
    pub fn of(project: &Project) -> Result<Self> {
        Self::open(&project.data.join("store"))
    }

    /// Opens the store of a project on one machine: both halves are in `root`. Folders are created when
    /// something is first written to them.
    ///
    /// # Errors
    /// Returns an error if another version wrote the store in a format that this version cannot read.
    pub fn open(root: &Path) -> Result<Self> {
        let (shared, workspace) = (Half(root.to_owned()), Half(root.to_owned()));
        let marked = shared.check_format()?;
        Ok(Self { shared, workspace, pending: Pending::default(), marked })
    }

    /// Creates the store's folders.
    ///
    /// # Errors
    /// Returns an error if a folder or the marker cannot be created.
    pub fn create(&self) -> Result<()> {
        self.shared.create(&SHARED)?;
        self.workspace.create(&WORKSPACE)?;
        let marker = self.shared.path(format!("{MARKER}{FORMAT}"));
        match fs::File::create_new(&marker) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).io_context("cannot create", marker)
            }
            _ => Ok(()),
        }
    }

    /// Returns true if the store has its folders.
    pub fn exists(&self) -> bool {
        self.marked || self.workspace.path("locks").is_dir()
    }

    /// Folder of the web UI. It exists as soon as a server was started.
    pub fn serve_folder(&self) -> PathBuf {
        self.workspace.path("serve")
    }

    /// New folder in `staging/`, which is removed when dropped.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn staging(&self) -> Result<tempfile::TempDir> {
        let path = self.shared.path("staging");
        tempfile::tempdir_in(&path).io_context("cannot create a folder in", path)
    }
}

impl Half {
    /// Path of a folder or file of this half.
    pub(super) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.join(relative)
    }

    fn create(&self, folders: &[&str]) -> Result<()> {
        for folder in folders {
            let path = self.path(folder);
            fs::create_dir_all(&path).io_context("cannot create", &path)?;
        }
        Ok(())
    }

    /// Returns true if the marker of this version's format exists. Stores without any marker have format 1.
    fn check_format(&self) -> Result<bool> {
        if self.path(format!("{MARKER}{FORMAT}")).exists() {
            return Ok(true);
        }
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let formats = names.filter_map(|name| name.strip_prefix(MARKER).map(str::to_owned));
        match formats.max_by_key(|format| format.parse::<u32>().unwrap_or(u32::MAX)) {
            None => Ok(false),
            // Another run has created the store in the meantime.
            Some(format) if format == FORMAT.to_string() => Ok(true),
            Some(format) => Err(Error::user_error(
                Code::Unsupported,
                format!(
                    "the store {} has format `{format}`, \
                     but this version of callsheet reads only format {FORMAT}",
                    self.0.display()
                ),
                "use the version of callsheet that wrote the store, \
                 or set `data` in callsheet.toml to another folder",
            )),
        }
    }

    /// Writes `value` as JSON so that a reader sees all of it or none.
    pub(super) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        let staging = self.path("staging");
        let folder = path.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder).io_context("cannot create", folder)?;
        let mut file = draft(&staging)?;
        let mut text = serde_json::to_vec(value).expect("records are plain data");
        text.push(b'\n');
        // The temporary file would add its own path to the error.
        file.as_file_mut().write_all(&text).io_context("cannot write", path)?;
        file.persist(path).map_err(|e| e.error).io_context("cannot write", path)?;
        Ok(())
    }
}

/// Creates a temporary file in `staging`, which other users of the store can read if the umask allows it.
pub(super) fn draft(staging: &Path) -> Result<tempfile::NamedTempFile> {
    let rights = fs::Permissions::from_mode(0o666);
    let file = tempfile::Builder::new().permissions(rights).tempfile_in(staging);
    file.io_context("cannot write in", staging)
}

/// Reads a JSON file. Returns `None` if the file is missing or malformed, which the cache treats as a miss.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
