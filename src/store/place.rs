//! Moves objects to their place in the store, read-only.

use std::fs::{self, File, FileTimes};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table;

use super::digest::{digest_directory, digest_file, digest_with_mode, files_below};
use super::files::remove;
use super::object::Object;
use super::root::Store;
use super::tree::{is_executable, unlock_folders};
use crate::declare::ArtifactKind;

/// Modification time of every file in the store: 1 January 2000. A write changes this time, so reading the
/// time suffices to detect the write. A copy of the store that preserves times stays valid.
const MODIFIED: Duration = Duration::from_secs(946_684_800);

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

    /// Returns true if the object exists with the recorded size and number of files, and no file was written
    /// since it was sealed. Does not hash the object.
    pub fn intact(&self, object: &Object) -> bool {
        let found = look(&self.object_path(object), object.is_folder());
        found.is_ok_and(|found| found == TreeStat { size: object.size, files: object.files, sealed: true })
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

/// Total size and number of the files; `sealed` if every file has the store's modification time.
pub(super) fn look(path: &Path, folder: bool) -> io::Result<TreeStat> {
    let files = if folder { files_below(path).map_err(io::Error::other)? } else { vec![path.to_owned()] };
    let mut all = TreeStat { size: 0, files: 0, sealed: true };
    for file in files {
        let found = fs::symlink_metadata(&file)?;
        all.size += found.len();
        all.files += 1;
        all.sealed &= found.is_file() && found.modified()? == SystemTime::UNIX_EPOCH + MODIFIED;
    }
    Ok(all)
}

/// Makes every file read-only and sets its modification time to that of the store. Folders stay writable, so
/// that they can be removed.
pub(super) fn seal(path: &Path) -> Result<()> {
    let files = if path.is_dir() { files_below(path)? } else { vec![path.to_owned()] };
    for path in files {
        let found = fs::metadata(&path).io_context("cannot read", &path)?;
        // A file with a second hard link may belong to another program, so a copy of it is sealed.
        if found.nlink() > 1 {
            let copy = path.with_extension("callsheet-copy");
            fs::copy(&path, &copy).io_context("cannot copy", &path)?;
            fs::rename(&copy, &path).io_context("cannot write", &path)?;
        }
        let file = File::open(&path).io_context("cannot read", &path)?;
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + MODIFIED);
        let mode = if is_executable(&found) { 0o555 } else { 0o444 };
        file.set_times(times).io_context("cannot protect", &path)?;
        file.set_permissions(fs::Permissions::from_mode(mode)).io_context("cannot protect", &path)?;
    }
    Ok(())
}
