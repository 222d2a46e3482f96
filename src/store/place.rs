//! Places of objects in the store: publication, and the check that a stored object is intact.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table;

use super::digest::{Tick, digest_directory, digest_ticking, digest_with_mode};
use super::files::remove;
use super::object::Object;
use super::root::Store;
use super::seal::{renew_seals, restore_modes, seal, sealed};
use super::stored_tree::StoredTree;
use super::tree::open_to_owner;
use crate::declare::ArtifactKind;

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
        match self.has_seal(object) {
            Some(true) => true,
            Some(false) => self.renew(object, &|_| {}),
            None => false,
        }
    }

    /// Returns the objects that must be hashed to know that they are intact; `None` if an object is missing or has
    /// another size.
    pub fn unsealed<'o>(&self, objects: impl Iterator<Item = &'o Object>) -> Option<Vec<Object>> {
        let mut unsealed = Vec::new();
        for object in objects {
            if !self.has_seal(object)? {
                unsealed.push(object.clone());
            }
        }
        Some(unsealed)
    }

    /// Returns true if every file of an object has its seal; `None` if the object is missing or has another size.
    fn has_seal(&self, object: &Object) -> Option<bool> {
        let path = self.object_path(object);
        let tree = StoredTree::read(&path, object.is_folder()).ok()?;
        let found = (tree.size(), tree.files.len() as u64, tree.links);
        let equal = found == (object.size, object.files, object.links);
        equal.then(|| sealed(object, &tree.files) || restore_modes(object, &path, &tree.files))
    }

    /// Hashes an object, and seals it again if it has the recorded content. Calls `tick` with the number of bytes
    /// after each part. Returns true if the object is intact.
    pub fn renew(&self, object: &Object, tick: Tick) -> bool {
        let path = self.object_path(object);
        let read = || StoredTree::read(&path, object.is_folder());
        let Ok(before) = read() else { return false };
        if !digest_object(object, &path, tick).is_ok_and(|digest| digest == object.bytes) {
            return false;
        }
        // A file that was written meanwhile was not hashed in full, so it must not be sealed.
        if !read().is_ok_and(|after| before.is_unchanged(&after)) {
            return false;
        }
        // If the store cannot be written, the object is hashed again the next time.
        let _ = renew_seals(object, &path, &before.files);
        true
    }

    /// Moves a finished artifact into the store. An intact object with equal bytes is kept instead.
    ///
    /// # Errors
    /// Returns an error if the artifact cannot be read, or the store cannot be written.
    pub fn publish(&self, kind: ArtifactKind, from: &Path) -> Result<Object> {
        open_to_owner(from)?;
        let bytes = digest_bytes(kind, from, &|_| {})?;
        let (content, rows) = match kind {
            ArtifactKind::Table => table::digest(from).map(|(content, rows)| (content, Some(rows)))?,
            ArtifactKind::File | ArtifactKind::Files | ArtifactKind::Directory => (bytes, None),
        };
        let tree = StoredTree::read(from, kind == ArtifactKind::Directory)?;
        let (size, files, links) = (tree.size(), tree.files.len() as u64, tree.links);
        let object = Object { kind, content, bytes, size, files, links, rows, parts: Vec::new() };
        seal(&object, from, &tree.files)?;
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
fn digest_bytes(kind: ArtifactKind, path: &Path, tick: Tick) -> Result<Digest> {
    match kind {
        ArtifactKind::Directory => digest_directory(path, tick),
        ArtifactKind::Table => digest_ticking(path, tick),
        ArtifactKind::File | ArtifactKind::Files => digest_with_mode(path, tick),
    }
}

/// Digest of the bytes of a stored object.
pub(super) fn digest_object(object: &Object, path: &Path, tick: Tick) -> Result<Digest> {
    digest_bytes(if object.is_folder() { ArtifactKind::Directory } else { object.kind }, path, tick)
}
