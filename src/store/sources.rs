//! Digests of raw files. A file is hashed once; its digest is remembered by path, inode, size, modification
//! time and change time. No program can set the change time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use serde::{Deserialize, Serialize};

use super::digest::{digest_file, digest_named, digest_while};
use super::lock::LockName;
use super::root::Store;
use super::stamp::Stamp;
use crate::trace;

/// Time after a change of a file in which a further change may leave its time stamp equal, because the time
/// stamp is coarse.
const SETTLED: Duration = Duration::from_secs(2);

/// Bytes that are hashed between two progress reports.
const TELL_EVERY: u64 = 64 << 20;

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Remembered {
    stamp: Stamp,
    digest: Digest,
    /// True if later runs may use the digest.
    #[serde(skip, default = "yes")]
    settled: bool,
}

fn yes() -> bool {
    true
}

/// Digests of raw files.
#[derive(Debug)]
pub struct Sources {
    root: PathBuf,
    memory: BTreeMap<PathBuf, Remembered>,
    changed: bool,
}

impl Sources {
    /// Absolute path of a file of the project.
    pub fn path(&self, file: &Path) -> PathBuf {
        self.root.join(file)
    }

    /// Loads the digests that the store remembers for files below `root`.
    pub fn load(store: &Store, root: &Path) -> Self {
        let memory = remembered(store).unwrap_or_default();
        Self { root: root.to_owned(), memory, changed: false }
    }

    /// Digest of one file, which is hashed only if its digest is not remembered.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub fn digest(&mut self, file: &Path) -> Result<Digest> {
        let path = self.root.join(file);
        let found = trace::metadata(&path).io_context("cannot read", &path)?;
        match self.known(file, &found) {
            Some(digest) => Ok(digest),
            None => Ok(self.hash(file, |_| true)?.expect("the callback always returns true")),
        }
    }

    fn known(&self, file: &Path, found: &Metadata) -> Option<Digest> {
        let known = self.memory.get(file)?;
        (known.stamp == Stamp::of(found)).then_some(known.digest)
    }

    fn hash(&mut self, file: &Path, go_on: impl FnMut(u64) -> bool) -> Result<Option<Digest>> {
        let path = self.root.join(file);
        let found = fs::metadata(&path).io_context("cannot read", &path)?;
        let Some(digest) = digest_while(&path, go_on)? else { return Ok(None) };
        let changed = Duration::new(found.ctime().max(0) as u64, found.ctime_nsec() as u32);
        let settled = settled(UNIX_EPOCH + changed);
        if !settled {
            trace::mark_unstable();
        }
        self.changed |= settled;
        let known = Remembered { stamp: Stamp::of(&found), digest, settled };
        self.memory.insert(file.to_owned(), known);
        Ok(Some(digest))
    }

    /// Hashes the `files` whose digests are not remembered. From time to time, calls `go_on` with the number
    /// of bytes that are done and the total; returns false if `go_on` did. Skips unreadable files, because
    /// the stage that reads such a file reports the error.
    pub fn learn(&mut self, files: &BTreeSet<&Path>, mut go_on: impl FnMut(u64, u64) -> bool) -> bool {
        let unknown: Vec<(&Path, u64)> = files
            .iter()
            .filter_map(|file| {
                let found = trace::metadata(&self.root.join(file)).ok()?;
                self.known(file, &found).is_none().then_some((*file, found.len()))
            })
            .collect();
        let total = unknown.iter().map(|(_, size)| size).sum();
        let (mut before, mut told) = (0, 0);
        for (file, size) in unknown {
            let going = |done: u64| {
                let due = before + done >= told + TELL_EVERY;
                told = if due { before + done } else { told };
                !due || go_on(told.min(total), total)
            };
            if matches!(self.hash(file, going), Ok(None)) {
                return false;
            }
            before += size;
        }
        true
    }

    /// Returns the files with the digests that [`Self::digest`] returns now.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read.
    pub fn watch<'f>(&mut self, files: impl IntoIterator<Item = &'f Path>) -> Result<Watch> {
        let mut watched = Vec::new();
        for file in files {
            let digest = self.digest(file)?;
            let stamp = self.memory[file].stamp.clone();
            watched.push(Watched { path: self.root.join(file), digest, stamp: Mutex::new(stamp) });
        }
        Ok(Watch(watched))
    }

    /// Digest over several files and their names below `base`, and the digest of each file by its path.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read.
    pub fn digest_all(
        &mut self,
        files: &[PathBuf],
        base: &Path,
    ) -> Result<(Digest, BTreeMap<String, Digest>)> {
        let mut each = BTreeMap::new();
        for file in files {
            each.insert(file.to_string_lossy().into_owned(), self.digest(file)?);
        }
        let named = each.iter().map(|(file, digest)| (name_below(Path::new(file), base), *digest));
        Ok((digest_named(named), each))
    }

    /// Writes new digests to the store, and creates the store if it does not exist.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn save(&mut self, store: &Store) -> Result<()> {
        if std::mem::take(&mut self.changed) {
            if !store.exists() {
                store.create()?;
            }
            let _lock = store.lock(&LockName::Sources, "", |_| true)?;
            // Another run may have written its digests in the meantime.
            let others = remembered(store).unwrap_or_default();
            for (file, known) in others {
                self.memory.entry(file).or_insert(known);
            }
            let settled: BTreeMap<_, _> = self.memory.iter().filter(|(_, known)| known.settled).collect();
            store.workspace.write_json(&store.workspace.path("sources.json"), &settled)?;
        }
        Ok(())
    }
}

/// Digests that the store remembers. A run does not depend on them, because they follow from the states of
/// the files.
fn remembered(store: &Store) -> Option<BTreeMap<PathBuf, Remembered>> {
    serde_json::from_slice(&fs::read(store.workspace.path("sources.json")).ok()?).ok()
}

/// Name of a raw file as a worker sees it: its path below the folder of its source.
pub fn name_below(file: &Path, base: &Path) -> String {
    file.strip_prefix(base).unwrap_or(file).to_string_lossy().into_owned()
}

/// Raw files and code of an action, with the contents from which its key was computed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Watch(Vec<Watched>);

#[derive(Debug, Deserialize, Serialize)]
struct Watched {
    path: PathBuf,
    digest: Digest,
    /// Last stamp at which the file had this digest.
    stamp: Mutex<Stamp>,
}

impl Watch {
    /// Digest of the paths, contents and stamps. A file that was changed and restored has another digest: a worker
    /// may have read it in between.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for file in &self.0 {
            let path = file.path.as_os_str().as_encoded_bytes();
            let stamp = file.stamp.lock().unwrap_or_else(PoisonError::into_inner);
            hasher.update(&(path.len() as u64).to_le_bytes()).update(path);
            hasher.update(file.digest.as_bytes()).update(format!("{stamp:?}\0").as_bytes());
        }
        hasher.finalize().into()
    }

    /// First file whose content is not that of the key any more. A file is hashed only if its stamp changed, so a
    /// file that was touched, or replaced by an equal one, has not changed.
    pub fn changed(&self) -> Option<&Path> {
        self.0.iter().find(|file| !file.unchanged()).map(|file| file.path.as_path())
    }
}

impl Clone for Watched {
    fn clone(&self) -> Self {
        let stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { path: self.path.clone(), digest: self.digest, stamp: Mutex::new(stamp) }
    }
}

impl Watched {
    fn unchanged(&self) -> bool {
        let Ok(found) = fs::metadata(&self.path) else { return false };
        let (now, mut before) =
            (Stamp::of(&found), self.stamp.lock().unwrap_or_else(PoisonError::into_inner));
        if now == *before {
            return true;
        }
        let equal = digest_file(&self.path).is_ok_and(|digest| digest == self.digest);
        if equal {
            *before = now;
        }
        equal
    }
}

/// Returns true if a write now would change the time stamp of a file that was last changed at this time.
fn settled(changed: SystemTime) -> bool {
    // A time in the future comes from another machine's clock, so the time stamp of a write now differs.
    changed.elapsed().is_ok_and(|age| age > SETTLED) || changed > SystemTime::now() + SETTLED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_once_in_a_run_however_young_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("raw.txt"), "1").expect("written");
        let mut sources =
            Sources::load(&Store::open(&folder.path().join("store")).expect("a store"), folder.path());
        let file = Path::new("raw.txt");
        let digest = sources.digest(file).expect("hashed");
        // If the file were hashed again, this digest would not be returned.
        let other: Digest = blake3::hash(b"other").into();
        sources.memory.get_mut(file).expect("remembered").digest = other;
        assert_ne!(digest, other);
        assert_eq!(sources.digest(file).expect("remembered"), other);
    }
}
