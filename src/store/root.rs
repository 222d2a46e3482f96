//! The folders of a store, and how JSON is written there.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Doing, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pending::Pending;

/// Format of the stores that this version reads and writes.
pub const FORMAT: u32 = 1;

/// Name of the marker of a store's format, before the number.
const MARKER: &str = "format-";

/// A store on one file system.
#[derive(Debug)]
pub struct Store {
    /// Shared by several users and machines: objects, action records, rows, checkpoints.
    pub(super) shared: Half,
    /// Owned by one project folder: latest results, runs, pins, digests of raw files.
    pub(super) workspace: Half,
    pub(super) pending: Pending,
    /// It had a marker when it was opened.
    marked: bool,
}

/// One of the two folders of a store; they may be the same folder.
#[derive(Debug)]
pub(super) struct Half(PathBuf);

/// Folders of each half. Both have locks, and `staging` to write in.
const SHARED: [&str; 6] = ["objects", "actions", "rows", "scratch", "locks", "staging"];
const WORKSPACE: [&str; 4] = ["heads", "runs", "locks", "staging"];

impl Store {
    /// The store of a project on one machine: both halves lie in `root`. Folders are made when they are first written to.
    ///
    /// # Errors
    /// When another version wrote the store in a format that this one does not know.
    pub fn open(root: &Path) -> Result<Self> {
        let (shared, workspace) = (Half(root.to_owned()), Half(root.to_owned()));
        let marked = shared.check_format()?;
        Ok(Self { shared, workspace, pending: Pending::default(), marked })
    }

    /// Makes the store's folders.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(&self) -> Result<()> {
        self.shared.create(&SHARED)?;
        self.workspace.create(&WORKSPACE)?;
        let marker = self.shared.path(format!("{MARKER}{FORMAT}"));
        match fs::File::create_new(&marker) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).doing("cannot create", marker)
            }
            _ => Ok(()),
        }
    }

    /// Returns true if the store has its folders.
    pub fn exists(&self) -> bool {
        self.marked || self.workspace.path("locks").is_dir()
    }

    /// A new folder in `staging/`, removed when dropped.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn staging(&self) -> Result<tempfile::TempDir> {
        let path = self.shared.path("staging");
        tempfile::tempdir_in(&path).doing("cannot create a folder in", path)
    }
}

impl Half {
    /// A folder or file of this half.
    pub(super) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.join(relative)
    }

    fn create(&self, folders: &[&str]) -> Result<()> {
        for folder in folders {
            let path = self.path(folder);
            fs::create_dir_all(&path).doing("cannot create", &path)?;
        }
        Ok(())
    }

    /// Returns true if the marker of this version's format is there. Stores without any marker have format 1.
    fn check_format(&self) -> Result<bool> {
        if self.path(format!("{MARKER}{FORMAT}")).exists() {
            return Ok(true);
        }
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let formats = names.filter_map(|name| name.strip_prefix(MARKER).map(str::to_owned));
        match formats.max_by_key(|format| format.parse::<u32>().unwrap_or(u32::MAX)) {
            None => Ok(false),
            Some(format) => Err(Error::refused(
                Code::Unsupported,
                format!(
                    "the store {} has format `{format}`; this version reads format {FORMAT}",
                    self.0.display()
                ),
                "use the version of callsheet that wrote it, or name another folder as `data` in callsheet.toml",
            )),
        }
    }

    /// Writes `value` as JSON so that a reader sees all of it or none.
    pub(super) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        let staging = self.path("staging");
        let folder = path.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder).doing("cannot create", folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&staging).doing("cannot write in", &staging)?;
        let mut text = serde_json::to_vec(value).expect("records are plain data");
        text.push(b'\n');
        file.write_all(&text).doing("cannot write", path)?;
        file.persist(path).map_err(|e| e.error).doing("cannot write", path)?;
        Ok(())
    }
}

/// Reads JSON; a missing or malformed file is `None`: to a cache that is a miss.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
