//! State of an object on disk, which is compared without reading the contents of files.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};

use super::object::Object;
use super::tree::{Entry, EntryKind, tree};
use crate::trace;

/// A file of an object: its name below the object, which is empty if the object is one file, and its state.
pub(super) type StoredFile = (PathBuf, fs::Metadata);

/// State of an object on disk.
pub(super) struct StoredTree {
    /// Files, sorted by name.
    pub files: Vec<StoredFile>,
    /// Digest of the names of links and empty folders, and of the targets of links; `None` if there are none.
    pub links: Option<Digest>,
}

impl StoredTree {
    /// Reads the state of the object at `path`.
    ///
    /// # Errors
    /// Returns an error if the object does not exist or cannot be read.
    pub(super) fn read(path: &Path, folder: bool) -> Result<Self> {
        if !folder {
            let found = trace::symlink_metadata(path).io_context("cannot read", path)?;
            return Ok(Self { files: vec![(PathBuf::new(), found)], links: None });
        }
        let (files, others): (Vec<Entry>, Vec<Entry>) = tree(path)?.into_iter().partition(Entry::is_file);
        let files = files.into_iter().filter_map(|entry| Some((entry.name, entry.state?))).collect();
        Ok(Self { files, links: (!others.is_empty()).then(|| digest_of_links(&others)) })
    }

    /// Reads the state of a stored object.
    ///
    /// # Errors
    /// Returns an error if the object does not exist or cannot be read.
    pub(super) fn of(object: &Object, path: &Path) -> Result<Self> {
        if object.parts.is_empty() { Self::read(path, object.is_folder()) } else { Self::of_segments(path) }
    }

    /// Reads the state of a table that consists of segments, each of which is a file or a link to one.
    fn of_segments(path: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for entry in trace::read_dir(path).io_context("cannot list", path)? {
            let name = PathBuf::from(entry.file_name());
            let found = trace::metadata(&path.join(&name)).io_context("cannot read", path.join(&name))?;
            files.push((name, found));
        }
        files.sort_by(|(a, _), (b, _)| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
        Ok(Self { files, links: None })
    }

    /// Size of all files in bytes.
    pub(super) fn size(&self) -> u64 {
        self.files.iter().map(|(_, state)| state.len()).sum()
    }

    /// Returns true if no file was written, replaced or touched between two readings.
    pub(super) fn is_unchanged(&self, later: &Self) -> bool {
        let stamp = |(name, s): &StoredFile| {
            (name.clone(), s.ino(), s.len(), s.mtime(), s.mtime_nsec(), s.ctime(), s.ctime_nsec())
        };
        self.links == later.links && self.files.iter().map(stamp).eq(later.files.iter().map(stamp))
    }
}

fn digest_of_links(entries: &[Entry]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for entry in entries {
        let target = match &entry.kind {
            EntryKind::Link(target) => target.as_os_str().as_bytes(),
            _ => b"",
        };
        for text in [entry.name.as_os_str().as_bytes(), target] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text);
        }
    }
    hasher.finalize().into()
}
