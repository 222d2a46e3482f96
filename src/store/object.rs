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
    /// Digest of what it means; for a table of its schema and rows.
    pub content: Digest,
    /// Digest of its bytes.
    pub bytes: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Rows, of a table.
    pub rows: Option<u64>,
    /// Hash of names, sizes, inodes and modification times of its files: a cheap sign of tampering.
    pub stamp: Digest,
}

/// Name of every object's file or folder. What a user calls it, is the declaration's affair: equal
/// content may have several names.
const INSIDE: &str = "artifact";

impl Store {
    /// Where the artifact with this content lies.
    pub fn object_path(&self, object: &Object) -> PathBuf {
        self.object_folder(&object.content).join(INSIDE)
    }

    fn object_folder(&self, content: &Digest) -> PathBuf {
        self.path("objects").join(&content.as_str()[..2]).join(content.as_str())
    }

    fn descriptor(&self, content: &Digest) -> PathBuf {
        self.object_folder(content).with_extension("json")
    }

    /// The object, if it is there and looks untouched.
    pub fn object(&self, content: &Digest) -> Option<Object> {
        let object: Object = read_json(&self.descriptor(content))?;
        let (size, stamp) = measure(&self.object_path(&object)).ok()?;
        (size == object.size && stamp == object.stamp).then_some(object)
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
        // Actions of different keys may make equal content at the same time.
        let _content = self.lock(&format!("object-{content}"), || {})?;
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
        let inside = staged.path().join(INSIDE);
        fs::rename(from, &inside).doing("cannot move", from)?;
        fs::rename(staged.path(), &folder).doing("cannot write", &folder)?;
        let (size, stamp) = measure(&folder.join(INSIDE)).doing("cannot read", &folder)?;
        let object = Object { kind, content, bytes, size, rows, stamp };
        self.write_json(&self.descriptor(&object.content), &object)?;
        Ok(object)
    }
}

/// Size in bytes, and a hash of names, sizes, inodes and modification times, of a file or of the
/// files below a folder.
fn measure(path: &Path) -> io::Result<(u64, Digest)> {
    let mut hasher = blake3::Hasher::new();
    let size = stamp(path, &mut hasher)?;
    Ok((size, hasher.finalize().into()))
}

fn stamp(path: &Path, hasher: &mut blake3::Hasher) -> io::Result<u64> {
    let found = fs::metadata(path)?;
    if found.is_file() {
        for number in [found.len(), found.ino(), found.mtime() as u64, found.mtime_nsec() as u64] {
            hasher.update(&number.to_le_bytes());
        }
        return Ok(found.len());
    }
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut size = 0;
    for entry in entries {
        let name = entry.file_name();
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_encoded_bytes());
        size += stamp(&entry.path(), hasher)?;
    }
    Ok(size)
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
