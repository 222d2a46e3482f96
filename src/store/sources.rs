//! Digests of raw files. A file is hashed once; its digest is remembered by path, inode, size, modification
//! time and change time. No program can set the change time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use serde::{Deserialize, Serialize};

use super::digest::{digest_named, digest_while};
use super::lock::LockName;
use super::root::{Store, read_json};

/// Time after a change of a file in which a further change may leave its time stamp equal, because the time
/// stamp is coarse.
const SETTLED: Duration = Duration::from_secs(2);

/// Bytes that are hashed between two progress reports.
const TELL_EVERY: u64 = 64 << 20;

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Stamp {
    inode: u64,
    size: u64,
    mtime: i64,
    mtime_nsec: i64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Remembered {
    stamp: Stamp,
    ctime: i64,
    ctime_nsec: i64,
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
    /// Loads the digests that the store remembers for files below `root`.
    pub fn load(store: &Store, root: &Path) -> Self {
        let memory = read_json(&store.workspace.path("sources.json")).unwrap_or_default();
        Self { root: root.to_owned(), memory, changed: false }
    }

    /// Digest of one file, which is hashed only if its digest is not remembered.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub fn digest(&mut self, file: &Path) -> Result<Digest> {
        let path = self.root.join(file);
        let found = fs::metadata(&path).io_context("cannot read", &path)?;
        match self.known(file, &found) {
            Some(digest) => Ok(digest),
            None => Ok(self.hash(file, |_| true)?.expect("the callback always returns true")),
        }
    }

    fn known(&self, file: &Path, found: &Metadata) -> Option<Digest> {
        let known = self.memory.get(file)?;
        let same = known.stamp == Stamp::of(found)
            && (known.ctime, known.ctime_nsec) == (found.ctime(), found.ctime_nsec());
        same.then_some(known.digest)
    }

    fn hash(&mut self, file: &Path, go_on: impl FnMut(u64) -> bool) -> Result<Option<Digest>> {
        let path = self.root.join(file);
        let found = fs::metadata(&path).io_context("cannot read", &path)?;
        let Some(digest) = digest_while(&path, go_on)? else { return Ok(None) };
        let (ctime, ctime_nsec) = (found.ctime(), found.ctime_nsec());
        let settled = settled(UNIX_EPOCH + Duration::new(ctime.max(0) as u64, ctime_nsec as u32));
        self.changed |= settled;
        let known = Remembered { stamp: Stamp::of(&found), ctime, ctime_nsec, digest, settled };
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
                let found = fs::metadata(self.root.join(file)).ok()?;
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
            let others: BTreeMap<PathBuf, Remembered> =
                read_json(&store.workspace.path("sources.json")).unwrap_or_default();
            for (file, known) in others {
                self.memory.entry(file).or_insert(known);
            }
            let settled: BTreeMap<_, _> = self.memory.iter().filter(|(_, known)| known.settled).collect();
            store.workspace.write_json(&store.workspace.path("sources.json"), &settled)?;
        }
        Ok(())
    }
}

/// Name of a raw file as a worker sees it: its path below the folder of its source.
pub fn name_below(file: &Path, base: &Path) -> String {
    file.strip_prefix(base).unwrap_or(file).to_string_lossy().into_owned()
}

/// State of a source's files before a stage read them.
#[derive(Debug)]
pub struct Watch(Vec<(PathBuf, Stamp)>);

impl Watch {
    /// Records size, inode and modification time of every file.
    ///
    /// # Errors
    /// Returns an error if a file cannot be found.
    pub fn start(files: impl IntoIterator<Item = PathBuf>) -> Result<Self> {
        let stamped = files.into_iter().map(|path| Ok((stamp(&path)?, path)));
        let stamped = stamped.collect::<Result<Vec<_>>>()?;
        Ok(Self(stamped.into_iter().map(|(stamp, path)| (path, stamp)).collect()))
    }

    /// Digest of the paths and stamps. Another set of files has another digest, and so has a changed file.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for (path, stamp) in &self.0 {
            hasher.update(path.as_os_str().as_encoded_bytes()).update(format!("\0{stamp:?}\0").as_bytes());
        }
        hasher.finalize().into()
    }

    /// First file that has changed since the watch started.
    pub fn changed(&self) -> Option<&Path> {
        let changed = |(path, before): &&(PathBuf, Stamp)| stamp(path).map_or(true, |now| now != *before);
        self.0.iter().find(changed).map(|(path, _)| path.as_path())
    }
}

/// Returns true if a write now would change the time stamp of a file that was last changed at this time.
fn settled(changed: SystemTime) -> bool {
    // A time in the future comes from another machine's clock, so the time stamp of a write now differs.
    changed.elapsed().is_ok_and(|age| age > SETTLED) || changed > SystemTime::now() + SETTLED
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self { inode: found.ino(), size: found.len(), mtime: found.mtime(), mtime_nsec: found.mtime_nsec() }
    }
}

fn stamp(path: &Path) -> Result<Stamp> {
    Ok(Stamp::of(&fs::metadata(path).io_context("cannot read", path)?))
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
