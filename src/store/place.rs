//! Places of objects in the store: publication, and the check that a stored object is intact.

use std::fs;
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table;

use super::digest::{Tick, digest_directory, digest_named, digest_ticking, digest_with_mode};
use super::files::{create_below, entries, remove};
use super::half::draft_folder;
use super::object::Object;
use super::root::Store;
use super::seal::{renew_seals, restore_modes, seal, sealed};
use super::shared::access::no_links;
use super::shared::sharing::Sharing;
use super::stored_tree::StoredTree;
use super::tree::open_to_owner;
use crate::declare::ArtifactKind;
use crate::trace;

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
    /// footers are two objects with one content digest. Objects in the project's own store are preferred.
    pub(super) fn object_path(&self, object: &Object) -> PathBuf {
        let name = object_name(&object.bytes);
        let own = self.earlier.as_ref().map(|half| half.path(&name));
        own.filter(|path| path.symlink_metadata().is_ok()).unwrap_or_else(|| self.shared.path(name))
    }

    /// Returns true if the object exists with the recorded content. An object is hashed only if a file of it was
    /// written since it was sealed, or is a copy that does not keep times. It is then sealed again.
    pub fn intact(&self, object: &Object) -> bool {
        self.intact_there(object, &self.object_path(object))
    }

    /// Returns true if the object is intact, also if garbage collection had set it aside: it is then put back.
    pub fn intact_or_restored(&self, object: &Object) -> bool {
        self.intact(object) || self.is_restored(object)
    }

    /// Returns true if the shared half has the object, intact.
    pub(super) fn is_shared(&self, object: &Object) -> bool {
        self.intact_there(object, &self.shared.path(object_name(&object.bytes)))
    }

    fn intact_there(&self, object: &Object, path: &Path) -> bool {
        intact_at(object, path) || self.appears(path) && intact_at(object, path)
    }

    /// Returns the objects that must be hashed to know that they are intact; `None` if an object is missing or has
    /// another size.
    pub fn unsealed<'o>(&self, objects: impl Iterator<Item = &'o Object>) -> Option<Vec<Object>> {
        let mut unsealed = Vec::new();
        for object in objects {
            if !has_seal(object, &self.object_path(object))? {
                unsealed.push(object.clone());
            }
        }
        Some(unsealed)
    }

    /// Hashes an object, and seals it again if it has the recorded content. Calls `tick` with the number of bytes
    /// after each part. Returns true if the object is intact.
    pub fn renew(&self, object: &Object, tick: Tick) -> bool {
        renew_at(object, &self.object_path(object), tick)
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
        let path = self.shared.path(object_name(&object.bytes));
        if let Some(sharing) = &self.sharing {
            sharing.intend(object.names())?;
        }
        // A damaged object in the project's own store would be preferred to this one.
        if let Some(own) = self.earlier.as_ref().map(|half| half.path(object_name(&object.bytes)))
            && own.symlink_metadata().is_ok()
            && !intact_at(object, &own)
        {
            remove(&own)?;
        }
        if self.sharing.is_some() {
            return self.place_shared(from, &path, object);
        }
        // Actions with different keys may publish equal bytes at the same time. The first object is kept.
        for _ in 0..ATTEMPTS {
            if intact_at(object, &path) {
                return remove(from);
            }
            if fs::rename(from, &path).is_ok() {
                return Ok(());
            }
            // The folder does not exist yet, or the object in it is damaged.
            create_below(self.shared.root(), path.parent().unwrap_or(&path))?;
            remove(&path)?;
        }
        fs::rename(from, &path).io_context("cannot write", &path)
    }

    /// As [`Self::place`], next to programs on other machines: nothing is removed, and the name is not asked for before it
    /// exists, because it would then stay unknown here for seconds.
    fn place_shared(&self, from: &Path, path: &Path, object: &Object) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let placed = if object.is_folder() {
                fs::rename(from, path)
            } else {
                fs::hard_link(from, path).and_then(|()| fs::remove_file(from))
            };
            match placed {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    create_below(self.shared.root(), path.parent().unwrap_or(path))?;
                }
                // Another program has placed an object. A folder that is being removed may be seen without its files.
                Err(_) if self.is_shared(object) => return remove(from),
                Err(_) if object.is_folder() => self.sharing.iter().for_each(Sharing::wait_for_news),
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(no_links(self.shared.root(), &error));
                }
                Err(_) => return fs::rename(from, path).io_context("cannot write", path),
            }
        }
        self.replace_damaged(from, path, object)
    }

    /// Replaces a folder that is damaged, for example because a power cut lost its files. It is looked at again after it was
    /// set aside.
    fn replace_damaged(&self, from: &Path, path: &Path, object: &Object) -> Result<()> {
        let aside = draft_folder(&self.staging_of_run())?;
        let moved = aside.path().join("object");
        fs::rename(path, &moved).io_context("cannot move", path)?;
        let better = if intact_at(object, &moved) { &moved } else { from };
        match fs::rename(better, path) {
            // Another program was faster.
            Err(_) if self.is_shared(object) => {}
            placed => placed.io_context("cannot write", path)?,
        }
        remove(from)
    }

    /// Waits until a name that its folder lists can be seen. On a machine that has asked for it too early, this takes
    /// seconds. Returns false if the folder does not list it.
    pub(super) fn appears(&self, path: &Path) -> bool {
        let Some(sharing) = &self.sharing else { return false };
        let listed =
            || entries(path.parent().unwrap_or(path)).is_ok_and(|all| all.iter().any(|found| found == path));
        (0..LOOKS).any(|_| {
            let seen = path.symlink_metadata().is_ok();
            let goes_on = !seen && listed();
            if goes_on {
                sharing.wait_for_news();
            }
            seen || !goes_on
        }) && path.symlink_metadata().is_ok()
    }
}

/// Path of an object below a half of a store.
pub(super) fn object_name(bytes: &Digest) -> PathBuf {
    let name = bytes.to_string();
    Path::new("objects").join(&name[..2]).join(name)
}

/// Paths of an object and of its segments below a half of a store.
pub(super) fn object_names(object: &Object) -> impl Iterator<Item = PathBuf> {
    std::iter::once(&object.bytes).chain(&object.parts).map(object_name)
}

/// Returns true if the object at `path` has the recorded content.
pub(super) fn intact_at(object: &Object, path: &Path) -> bool {
    match has_seal(object, path) {
        Some(true) => true,
        Some(false) => renew_at(object, path, &|_| {}),
        None => false,
    }
}

/// Returns true if every file of an object has its seal; `None` if the object is missing or has another size.
fn has_seal(object: &Object, path: &Path) -> Option<bool> {
    let tree = StoredTree::of(object, path).ok()?;
    let found = (tree.size(), tree.files.len() as u64, tree.links);
    let equal = found == (object.size, object.files, object.links);
    equal.then(|| sealed(object, &tree.files) || restore_modes(object, path, &tree.files))
}

fn renew_at(object: &Object, path: &Path, tick: Tick) -> bool {
    // Only a seal shows later that the object is intact.
    trace::mark_unstable();
    let read = || StoredTree::of(object, path);
    let Ok(before) = read() else { return false };
    if !digest_object(object, path, tick).is_ok_and(|digest| digest == object.bytes) {
        return false;
    }
    // A file that was written meanwhile was not hashed in full, so it must not be sealed.
    if !read().is_ok_and(|after| before.is_unchanged(&after)) {
        return false;
    }
    // If the store cannot be written, the object is hashed again the next time.
    let _ = renew_seals(object, path, &before.files);
    true
}

/// Looks at a name that its folder lists, each followed by a pause.
const LOOKS: usize = 20;

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

/// Digest of a table that consists of segments.
fn digest_segments(path: &Path, tick: Tick) -> Result<Digest> {
    let mut each = Vec::new();
    for file in entries(path)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        each.push((name, digest_ticking(&file, tick)?));
    }
    Ok(digest_named(each))
}

/// Digest of the bytes of a stored object.
pub(super) fn digest_object(object: &Object, path: &Path, tick: Tick) -> Result<Digest> {
    if !object.parts.is_empty() {
        return digest_segments(path, tick);
    }
    digest_bytes(if object.is_folder() { ArtifactKind::Directory } else { object.kind }, path, tick)
}
