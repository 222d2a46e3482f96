//! Lists, sizes and removes files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{Doing, Result};

use super::digest::files_below;

/// Sorted content of a folder; empty if there is none.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).doing("cannot list", folder)? {
        paths.push(entry.doing("cannot list", folder)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Every file below a folder; none if there is no folder.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_dir() { files_below(folder) } else { Ok(Vec::new()) }
}

/// Bytes of a file or of what is below a folder; 0 if there is neither.
pub(super) fn size(path: &Path) -> Result<u64> {
    if path.is_dir() {
        return entries(path)?.iter().map(|inside| size(inside)).sum();
    }
    Ok(fs::symlink_metadata(path).map_or(0, |found| found.len()))
}

/// Removes a file or a folder, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).doing("cannot remove", path),
        _ => Ok(()),
    }
}
