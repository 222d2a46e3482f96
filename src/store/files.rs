//! Listing, measuring and removing files.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};

use super::digest::files_below;
use super::tree::open_to_owner;

/// Sorted paths of a folder's entries; empty if the folder does not exist.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).io_context("cannot list", folder)? {
        paths.push(entry.io_context("cannot list", folder)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Every file below a folder; empty if the folder does not exist.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_dir() { files_below(folder) } else { Ok(Vec::new()) }
}

/// Creates a folder below `root`, which must exist: a file system that is not mounted any more must not be replaced by a
/// folder of this machine.
pub(super) fn create_below(root: &Path, folder: &Path) -> Result<()> {
    let made = fs::create_dir(folder);
    let missing = made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let made = match folder.parent().filter(|parent| missing && *parent != root && parent.starts_with(root)) {
        Some(parent) => {
            create_below(root, parent)?;
            fs::create_dir(folder)
        }
        None => made,
    };
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.io_context("cannot create", folder),
    }
}

/// Size of a file, or of everything below a folder, in bytes; 0 if the path does not exist.
pub(super) fn size(path: &Path) -> Result<u64> {
    if path.is_dir() && !path.is_symlink() {
        return entries(path)?.iter().map(|inside| size(inside)).sum();
    }
    Ok(fs::symlink_metadata(path).map_or(0, |found| found.len()))
}

/// Copies the content of a folder into another one that exists: files with their modes, folders and links.
pub(super) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            fs::create_dir(&to)?;
            copy_tree(&from, &to)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else if kind.is_file() {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// Moves a folder, also to another file system.
///
/// # Errors
/// Returns an error if something cannot be copied or removed.
pub fn move_folder(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            fs::create_dir(to)?;
            copy_tree(from, to)?;
            remove_folder(from)
        }
        moved => moved,
    }
}

/// Removes a file or a folder, if it exists.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed =
        if path.is_dir() && !path.is_symlink() { remove_folder(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).io_context("cannot remove", path),
        _ => Ok(()),
    }
}

/// Removes a folder with everything in it, also read-only folders.
///
/// # Errors
/// Returns an error if something cannot be removed.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_to_owner(path).map_err(io::Error::other)?;
            fs::remove_dir_all(path)
        }
        removed => removed,
    }
}
