//! Moves objects to their place in the store, read-only.

use std::fs::{self, File, FileTimes};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table;

use super::digest::{digest_directory, digest_file, digest_with_mode, files_below};
use super::files::remove;
use super::object::Object;
use super::root::Store;
use super::tree::{Entry, is_executable, tree, unlock_folders};
use crate::declare::ArtifactKind;

/// Fraction of a second in the modification time of every file in the store. A write sets another fraction, so reading
/// the time suffices to detect the write. The seconds are the time at which the file was made. File systems that
/// keep units of 100 ns keep this fraction.
const SEAL: Duration = Duration::from_nanos(978_307_200);

/// Path of an object that can be read on this machine.
#[derive(Clone, Debug)]
pub struct LocalPath(PathBuf);

impl Deref for LocalPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for LocalPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl From<LocalPath> for PathBuf {
    fn from(path: LocalPath) -> Self {
        path.0
    }
}

impl Store {
    /// Makes an object readable on this machine, and returns its path.
    pub fn materialize(&self, object: &Object) -> LocalPath {
        LocalPath(self.object_path(object))
    }

    /// Path of an object, which is named by the digest of its bytes. Two tables with equal rows and different
    /// footers are two objects with one content digest.
    pub(super) fn object_path(&self, object: &Object) -> PathBuf {
        let name = object.bytes.to_string();
        self.shared.path("objects").join(&name[..2]).join(name)
    }

    /// Returns true if the object exists with the recorded content. An object is hashed only if a file of it was
    /// written since it was sealed, or is a copy that does not keep times. It is then sealed again.
    pub fn intact(&self, object: &Object) -> bool {
        let path = self.object_path(object);
        let Ok(TreeStat { size, files, sealed }) = look(&path, object.is_folder()) else { return false };
        if (size, files) != (object.size, object.files) {
            return false;
        }
        if sealed {
            return true;
        }
        let equal = digest_object(object, &path).is_ok_and(|digest| digest == object.bytes);
        if equal {
            // If the store cannot be written, the object is hashed again the next time.
            let _ = mark_all(&path);
        }
        equal
    }

    /// Moves a finished artifact into the store. An intact object with equal bytes is kept instead.
    ///
    /// # Errors
    /// Returns an error if the artifact cannot be read, or the store cannot be written.
    pub fn publish(&self, kind: ArtifactKind, from: &Path) -> Result<Object> {
        if kind == ArtifactKind::Directory {
            unlock_folders(from)?;
        }
        let bytes = digest_bytes(kind, from)?;
        let (content, rows) = match kind {
            ArtifactKind::Table => table::digest(from).map(|(content, rows)| (content, Some(rows)))?,
            ArtifactKind::File | ArtifactKind::Files | ArtifactKind::Directory => (bytes, None),
        };
        seal(from)?;
        let TreeStat { size, files, .. } =
            look(from, kind == ArtifactKind::Directory).io_context("cannot read", from)?;
        let object = Object { kind, content, bytes, size, files, rows, parts: Vec::new() };
        self.place(from, &object)?;
        Ok(object)
    }

    /// Moves a finished and sealed artifact to its place in the store.
    pub(super) fn place(&self, from: &Path, object: &Object) -> Result<()> {
        let path = self.object_path(object);
        // Actions with different keys may publish equal bytes at the same time. The first object is kept.
        for _ in 0..ATTEMPTS {
            if self.intact(object) {
                return remove(from);
            }
            if fs::rename(from, &path).is_ok() {
                return Ok(());
            }
            // The folder does not exist yet, or the object in it is damaged.
            let shelf = path.parent().unwrap_or(&path);
            fs::create_dir_all(shelf).io_context("cannot create", shelf)?;
            remove(&path)?;
        }
        fs::rename(from, &path).io_context("cannot write", &path)
    }
}

/// Attempts to place an object while other actions may be placing an equal one.
const ATTEMPTS: usize = 3;

/// Digest of an artifact's bytes. A table is never executable.
fn digest_bytes(kind: ArtifactKind, path: &Path) -> Result<Digest> {
    match kind {
        ArtifactKind::Directory => digest_directory(path),
        ArtifactKind::Table => digest_file(path),
        ArtifactKind::File | ArtifactKind::Files => digest_with_mode(path),
    }
}

/// Digest of the bytes of a stored object.
pub(super) fn digest_object(object: &Object, path: &Path) -> Result<Digest> {
    digest_bytes(if object.is_folder() { ArtifactKind::Directory } else { object.kind }, path)
}

#[derive(Default, PartialEq)]
pub(super) struct TreeStat {
    pub size: u64,
    pub files: u64,
    pub sealed: bool,
}

/// Total size and number of the files; `sealed` if every file has the store's fraction of a second.
pub(super) fn look(path: &Path, folder: bool) -> io::Result<TreeStat> {
    let files: Vec<fs::Metadata> = if folder {
        let entries = tree(path).map_err(io::Error::other)?;
        entries.into_iter().filter(Entry::is_file).filter_map(|entry| entry.state).collect()
    } else {
        vec![fs::symlink_metadata(path)?]
    };
    let mut all = TreeStat { size: 0, files: 0, sealed: true };
    for found in files {
        all.size += found.len();
        all.files += 1;
        all.sealed &= found.is_file() && found.mtime_nsec() == i64::from(SEAL.subsec_nanos());
    }
    Ok(all)
}

/// Makes every file read-only, and marks it. Folders stay writable, so that they can be removed.
pub(super) fn seal(root: &Path) -> Result<()> {
    for path in all_files(root)? {
        let found = fs::metadata(&path).io_context("cannot read", &path)?;
        // A file with a second hard link may belong to another program, so a copy of it is sealed.
        if found.nlink() > 1 {
            let copy = draft_next_to(root);
            fs::copy(&path, &copy).io_context("cannot copy", &path)?;
            fs::rename(&copy, &path).io_context("cannot write", &path)?;
        }
        let mode = if is_executable(&found) { 0o555 } else { 0o444 } & !umask();
        mark(&path, SystemTime::now())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).io_context("cannot protect", &path)?;
    }
    Ok(())
}

/// Path for a copy, outside of the artifact: a name inside might belong to another file of the artifact.
fn draft_next_to(artifact: &Path) -> PathBuf {
    let mut name = artifact.file_name().unwrap_or_default().to_owned();
    name.push(".callsheet-copy");
    artifact.with_file_name(name)
}

/// Rights that new files do not get, for example those of other users.
fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o022)
    })
}

/// Marks files whose content was found to be intact. They keep the seconds of their times.
fn mark_all(path: &Path) -> Result<()> {
    for path in all_files(path)? {
        let found = fs::metadata(&path).io_context("cannot read", &path)?;
        mark(&path, found.modified().io_context("cannot read", &path)?)?;
    }
    Ok(())
}

/// Sets the modification time to the second of `made` with the store's fraction.
fn mark(path: &Path, made: SystemTime) -> Result<()> {
    let second = made.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second) + SEAL;
    let file = File::open(path).io_context("cannot read", path)?;
    file.set_times(FileTimes::new().set_modified(time)).io_context("cannot protect", path)
}

fn all_files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() { files_below(path) } else { Ok(vec![path.to_owned()]) }
}
