//! Files below a folder, in which links to folders are followed.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};

use crate::trace;

/// Files that [`walk`] finds.
#[derive(Default)]
pub(super) struct Found {
    /// Paths relative to the root.
    pub files: Vec<PathBuf>,
    /// Links to nothing, relative to the root.
    pub dangling: Vec<PathBuf>,
    /// Device and inode of every visited folder.
    seen: BTreeSet<(u64, u64)>,
    /// Linked folders that are left, and how many levels of them are searched.
    links: VecDeque<(PathBuf, usize)>,
}

/// Returns the files below `root`/`base`, at most `depth` levels deep. Every folder is visited once, under its real path
/// if this is below `base`, so loops of links end. Hidden entries are visited only if `hidden` is true.
///
/// # Errors
/// Returns an error if a folder or the target of a link cannot be read, or the name of a file is not UTF-8.
pub(super) fn walk(root: &Path, base: &Path, depth: usize, hidden: bool) -> Result<Found> {
    let mut found = Found::default();
    let top = root.join(base);
    if trace::is_dir(&top) {
        found.visit(root, &top, depth, hidden)?;
    }
    while let Some((folder, depth)) = found.links.pop_front() {
        found.visit(root, &folder, depth, hidden)?;
    }
    Ok(found)
}

impl Found {
    fn visit(&mut self, root: &Path, folder: &Path, depth: usize, hidden: bool) -> Result<()> {
        let state = trace::file_kind(folder).io_context("cannot read", folder)?;
        if depth == 0 || !self.seen.insert((state.dev(), state.ino())) {
            return Ok(());
        }
        for entry in trace::read_dir(folder).io_context("cannot list", folder)? {
            let path = entry.path();
            if !hidden && entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let kind = entry.file_type().io_context("cannot read", &path)?;
            if kind.is_dir() {
                self.visit(root, &path, depth - 1, hidden)?;
                continue;
            }
            let below = path.strip_prefix(root).unwrap_or(&path).to_owned();
            let target = if kind.is_symlink() {
                trace::file_kind(&path).map(|state| state.file_type())
            } else {
                Ok(kind)
            };
            match target {
                Ok(kind) if kind.is_dir() => self.links.push_back((path, depth - 1)),
                Ok(kind) if kind.is_file() => self.files.push(utf8(below, &path)?),
                Ok(_) => {}
                Err(error) if leads_nowhere(&error) => self.dangling.push(below),
                Err(error) => return Err(error).io_context("cannot read", &path),
            }
        }
        Ok(())
    }
}

/// Returns true if a link leads to nothing, or in a circle (ELOOP).
fn leads_nowhere(error: &io::Error) -> bool {
    const ELOOP: i32 = 40;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ELOOP)
}

fn utf8(below: PathBuf, path: &Path) -> Result<PathBuf> {
    if below.to_str().is_some() {
        return Ok(below);
    }
    let message = format!("the name of {} is not UTF-8", path.display());
    Err(Error::user_error(Code::Unreadable, message, "rename the file"))
}
