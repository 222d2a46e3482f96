//! Objects: artifacts under the digest of their content, read-only.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::digest::files_below;
use super::{Store, digest_directory, digest_file, read_json};
use crate::declare::ArtifactKind;
use crate::error::{Doing, Result};
use crate::key::Digest;
use crate::table;

/// What is known of an object beside its bytes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Object {
    /// What it is.
    pub kind: ArtifactKind,
    /// Name of the file or folder inside the object, as a user sees it.
    pub name: String,
    /// Digest of what it means; for a table of its schema and rows.
    pub content: Digest,
    /// Digest of its bytes.
    pub bytes: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Rows, of a table.
    pub rows: Option<u64>,
    /// Modification times of its files in nanoseconds, summed: a cheap sign of tampering.
    pub mtimes: u64,
}

impl Store {
    /// Where the artifact with this content lies.
    pub fn object_path(&self, object: &Object) -> PathBuf {
        self.object_folder(&object.content).join(&object.name)
    }

    fn object_folder(&self, content: &Digest) -> PathBuf {
        self.path("objects").join(&content.as_str()[..2]).join(content.as_str())
    }

    fn descriptor(&self, content: &Digest) -> PathBuf {
        self.object_folder(content).with_extension("json")
    }

    /// The object, if it is there and looks untouched (size and modification times).
    pub fn object(&self, content: &Digest) -> Option<Object> {
        let object: Object = read_json(&self.descriptor(content))?;
        let (size, mtimes) = measure(&self.object_path(&object)).ok()?;
        (size == object.size && mtimes == object.mtimes).then_some(object)
    }

    /// Moves a finished artifact into the store; an object with equal content stays as it is.
    ///
    /// # Errors
    /// When the artifact cannot be read, or the store cannot be written.
    pub fn publish(&self, kind: ArtifactKind, from: &Path) -> Result<Object> {
        let (content, bytes, rows) = match kind {
            ArtifactKind::Table => {
                let (content, rows) = table::digest(from)?;
                (content, digest_file(from)?, Some(rows))
            }
            ArtifactKind::File | ArtifactKind::Files => {
                let digest = digest_file(from)?;
                (digest.clone(), digest, None)
            }
            ArtifactKind::Directory => {
                let digest = digest_directory(from)?;
                (digest.clone(), digest, None)
            }
        };
        if let Some(object) = self.object(&content) {
            return Ok(object);
        }
        let folder = self.object_folder(&content);
        let shelf = folder.parent().unwrap_or(&folder);
        fs::create_dir_all(shelf).doing("cannot create", shelf)?;
        make_read_only(from)?;
        // What lies there failed the look above: damaged, or left by a kill before its descriptor.
        remove(&folder)?;
        let staged = self.staging()?;
        let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inside = staged.path().join(&name);
        fs::rename(from, &inside).doing("cannot move", from)?;
        fs::rename(staged.path(), &folder).doing("cannot write", &folder)?;
        let (size, mtimes) = measure(&folder.join(&name)).doing("cannot read", &folder)?;
        let object = Object { kind, name, content, bytes, size, rows, mtimes };
        self.write_json(&self.descriptor(&object.content), &object)?;
        Ok(object)
    }
}

/// Size and summed modification times of a file, or of the files below a folder.
fn measure(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::metadata(path)?;
    if found.is_file() {
        let mtime = found.mtime().wrapping_mul(1_000_000_000).wrapping_add(found.mtime_nsec());
        return Ok((found.len(), mtime as u64));
    }
    let (mut size, mut mtimes) = (0, 0u64);
    for entry in fs::read_dir(path)? {
        let (s, m) = measure(&entry?.path())?;
        size += s;
        mtimes = mtimes.wrapping_add(m);
    }
    Ok((size, mtimes))
}

/// Makes every file read-only and durable. Folders stay writable, so that they can be removed.
fn make_read_only(path: &Path) -> Result<()> {
    let files = if path.is_dir() { files_below(path)? } else { vec![path.to_owned()] };
    for file in files {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).doing("cannot protect", &file)?;
        File::open(&file).and_then(|f| f.sync_all()).doing("cannot write", &file)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).doing("cannot remove", path),
        _ => Ok(()),
    }
}
