//! The store: objects by content digest, one record per action, runs, scratch folders, locks.
//!
//! ```text
//! objects/ab/abcd…        an artifact under the digest of its bytes, read-only
//! actions/abcd….json      what an action made of what ([`Record`])
//! heads/<pipeline>/<dataset>.json   the latest action of each stage ([`Head`]), packed
//! runs/<id>/              a run: run.json, events.ndjson, what its workers wrote in logs/, drew in images/, and
//!                         measured in tensorboard/
//! rows/<pool>/abcd…       digests of the rows of a segment ([`Segment`])
//! scratch/abcd…/          checkpoints of long stages
//! actions/abcd….draft     held while an action runs; dies with its process, becomes the record
//! locks/                  locks of runs and scratch folders
//! staging/<run>/          being written; moved into place by a rename
//! pins/<name>.json        keys that are never garbage
//! sources.json            digests of raw files by path, inode, size, mtime and ctime
//! ```
//!
//! Nothing here is ever half-visible. Artifacts are written to `staging/`, renamed, and on the disk
//! ([`Store::sync`]) before a record names them. JSON is renamed into place without being synced: a
//! power cut leaves it whole, old, or unreadable, and to a cache that is a miss.

mod cpu;
mod digest;
mod gc;
mod heads;
mod inventory;
mod lock;
mod object;
mod orphans;
mod pin;
mod record;
mod rows;
mod runs;
mod sources;
mod sync;
mod verify;
mod view;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Doing, Result};

pub use cpu::cpu_kind;
use digest::digest_while;
pub use digest::{digest_directory, digest_file};
pub use gc::Garbage;
pub use heads::{Head, Heads};
pub use inventory::Inventory;
pub use lock::Lock;
pub use object::Object;
pub use orphans::Orphan;
pub use record::{Provenance, Record};
pub use rows::{RowDigests, Segment};
pub use runs::{RunRecord, StageResult, position, run_id};
pub use sources::{Sources, Watch, digest_named, name_below};
pub use verify::Damage;
pub use view::{is_shown, out, show_artifact};

/// A store on one file system.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    sync: sync::Sync,
}

impl Store {
    /// The store in `root`; its folders are made when they are first written to.
    pub fn new(root: PathBuf) -> Self {
        Self { root, sync: sync::Sync::default() }
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
    fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<()> {
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
fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
