//! Puts objects where they belong, read-only.

use std::fs::{self, File, FileTimes};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Doing, Result};
use callsheet_worker::table;

use super::digest::{digest_directory, digest_file, files_below};
use super::files::remove;
use super::object::Object;
use super::root::Store;
use crate::declare::ArtifactKind;

/// Modification time of every file in the store: 1 January 2000. Whoever writes to one moves it,
/// so that a look tells tampering; a copy of the store that keeps times stays valid.
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

    /// Where an object lies: under the digest of its bytes. Tables of equal rows and different
    /// footers are two objects of one content.
    pub(super) fn object_path(&self, object: &Object) -> PathBuf {
        let name = object.bytes.to_string();
        self.shared.path("objects").join(&name[..2]).join(name)
    }

    /// Returns true if the object is there and looks untouched.
    pub fn intact(&self, object: &Object) -> bool {
        let found = look(&self.object_path(object), object.is_folder());
        found.is_ok_and(|found| found == Look { size: object.size, files: object.files, sealed: true })
    }

    /// Moves a finished artifact into the store; an intact object of equal bytes stays as it is.
    ///
    /// # Errors
    /// When the artifact cannot be read, or the store cannot be written.
    pub fn publish(&self, kind: ArtifactKind, from: &Path) -> Result<Object> {
        let bytes = digest_bytes(kind == ArtifactKind::Directory, from)?;
        let (content, rows) = match kind {
            ArtifactKind::Table => table::digest(from).map(|(content, rows)| (content, Some(rows)))?,
            ArtifactKind::File | ArtifactKind::Files | ArtifactKind::Directory => (bytes, None),
        };
        seal(from)?;
        let Look { size, files, .. } =
            look(from, kind == ArtifactKind::Directory).doing("cannot read", from)?;
        let object = Object { kind, content, bytes, size, files, rows, parts: Vec::new() };
        self.place(from, &object)?;
        Ok(object)
    }

    /// Moves what is finished and sealed to where it belongs.
    pub(super) fn place(&self, from: &Path, object: &Object) -> Result<()> {
        let path = self.object_path(object);
        // Actions of different keys may publish equal bytes at once: whoever comes first is right.
        for _ in 0..ATTEMPTS {
            if self.intact(object) {
                return remove(from);
            }
            if fs::rename(from, &path).is_ok() {
                return Ok(());
            }
            // There is no shelf yet, or what lies there is damaged.
            let shelf = path.parent().unwrap_or(&path);
            fs::create_dir_all(shelf).doing("cannot create", shelf)?;
            remove(&path)?;
        }
        fs::rename(from, &path).doing("cannot write", &path)
    }
}

/// Tries to put an object where others may be putting the same.
const ATTEMPTS: usize = 3;

/// Digest of an artifact's bytes.
pub(super) fn digest_bytes(folder: bool, path: &Path) -> Result<Digest> {
    if folder { digest_directory(path) } else { digest_file(path) }
}

#[derive(Default, PartialEq)]
pub(super) struct Look {
    pub size: u64,
    pub files: u64,
    pub sealed: bool,
}

/// Sizes, and whether every file has the store's modification time.
pub(super) fn look(path: &Path, folder: bool) -> io::Result<Look> {
    let files = if folder { files_below(path).map_err(io::Error::other)? } else { vec![path.to_owned()] };
    let mut all = Look { size: 0, files: 0, sealed: true };
    for file in files {
        let found = fs::symlink_metadata(&file)?;
        all.size += found.len();
        all.files += 1;
        all.sealed &= found.is_file() && found.modified()? == SystemTime::UNIX_EPOCH + MODIFIED;
    }
    Ok(all)
}

/// Makes every file read-only and gives it the store's modification time. Folders stay writable,
/// so that they can be removed.
pub(super) fn seal(path: &Path) -> Result<()> {
    let files = if path.is_dir() { files_below(path)? } else { vec![path.to_owned()] };
    for path in files {
        // A file with another name is somebody else's too.
        if fs::metadata(&path).doing("cannot read", &path)?.nlink() > 1 {
            let copy = path.with_extension("callsheet-copy");
            fs::copy(&path, &copy).doing("cannot copy", &path)?;
            fs::rename(&copy, &path).doing("cannot write", &path)?;
        }
        let file = File::open(&path).doing("cannot read", &path)?;
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + MODIFIED);
        file.set_times(times).doing("cannot protect", &path)?;
        file.set_permissions(fs::Permissions::from_mode(0o444)).doing("cannot protect", &path)?;
    }
    Ok(())
}
