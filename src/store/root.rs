//! The folder of a store, and how JSON is written there.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{Doing, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pending::Pending;

/// A store on one file system.
#[derive(Debug)]
pub struct Store {
    pub(super) root: PathBuf,
    pub(super) pending: Pending,
}

impl Store {
    /// The store in `root`; its folders are made when they are first written to.
    pub fn new(root: PathBuf) -> Self {
        Self { root, pending: Pending::default() }
    }

    /// Makes the store's folders.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(&self) -> Result<()> {
        for folder in ["objects", "actions", "heads", "rows", "runs", "scratch", "locks", "staging"] {
            let path = self.root.join(folder);
            fs::create_dir_all(&path).doing("cannot create", &path)?;
        }
        Ok(())
    }

    /// A folder or file of the store.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A new folder in `staging/`, removed when dropped.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn staging(&self) -> Result<tempfile::TempDir> {
        let path = self.path("staging");
        tempfile::tempdir_in(&path).doing("cannot create a folder in", path)
    }

    /// Writes `value` as JSON so that a reader sees all of it or none.
    pub(super) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        let staging = self.path("staging");
        let folder = path.parent().unwrap_or(&self.root);
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
