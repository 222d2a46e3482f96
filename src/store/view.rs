//! `data/out`: links to artifacts, under readable names.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};

use super::files::remove;
use super::object::Object;
use super::place::digest_object;
use super::root::Store;
use crate::trace;

/// Folder of the objects in a store.
const OBJECTS: &str = "objects";

impl Store {
    /// Returns true if `link` leads to the object.
    pub fn is_shown(&self, object: &Object, link: &Path, data: &Path) -> bool {
        trace::read_link(link).is_ok_and(|now| now == target(&self.object_path(object), link, data))
    }

    /// Creates `link` as a relative symbolic link to an object. Replaces an older link atomically.
    ///
    /// # Errors
    /// Returns an error if the link cannot be created, or a file or folder with its name exists.
    pub fn show(&self, object: &Object, link: &Path, data: &Path) -> Result<()> {
        let folder = link.parent().unwrap_or(data);
        let target = target(&self.object_path(object), link, data);
        // Usually the link does not exist yet.
        let made = symlink(&target, link).or_else(|error| match error.kind() {
            ErrorKind::NotFound => fs::create_dir_all(folder).and_then(|()| symlink(&target, link)),
            _ => Err(error),
        });
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Archives such as zip replace a link by a copy of the result.
                if !link.is_symlink()
                    && digest_object(object, link, &|_| {}).is_ok_and(|digest| digest == object.bytes)
                {
                    remove(link)?;
                    return symlink(&target, link).io_context("cannot create", link);
                }
                replace(&target, link, folder)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(error).io_context("cannot create", folder)
            }
            made => made.io_context("cannot create", link),
        }
    }
}

/// Removes the links to artifacts below `folder` for which `keeps` returns false, and the subfolders that are empty then. The
/// subfolders `others`, and everything that is not a link to an artifact, stay. Returns true if nothing is left.
///
/// # Errors
/// Returns an error if a folder cannot be listed, or a link cannot be removed.
pub fn hide_except(folder: &Path, others: &BTreeSet<PathBuf>, keeps: &dyn Fn(&Path) -> bool) -> Result<bool> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(false),
        listed => listed.io_context("cannot list", folder)?,
    };
    let mut left = 0;
    for entry in listed {
        let entry = entry.io_context("cannot list", folder)?;
        let (path, kind) = (entry.path(), entry.file_type().io_context("cannot list", folder)?);
        let removed = if kind.is_symlink() {
            !keeps(&path) && hide(&path)?
        } else if kind.is_dir() && !others.contains(&path) {
            hide_except(&path, others, keeps)? && fs::remove_dir(&path).is_ok()
        } else {
            false
        };
        left += usize::from(!removed);
    }
    Ok(left == 0)
}

/// Removes the links to artifacts below `folder`, and the folders that are empty then. The subfolders `others` and everything
/// else stay.
///
/// # Errors
/// Returns an error if a folder cannot be listed, or a link cannot be removed.
pub fn hide_all(folder: &Path, others: &BTreeSet<PathBuf>) -> Result<()> {
    if hide_except(folder, others, &|_| false)? {
        // Another program may have written a file in the meantime, which then stays.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

/// Removes a link to an artifact, and returns true; anything else at this path stays.
pub(super) fn hide(link: &Path) -> Result<bool> {
    let is_shown = fs::read_link(link).is_ok_and(|target| is_object(&target));
    if is_shown {
        remove(link)?;
    }
    Ok(is_shown)
}

/// Returns true if the target of a link is an object of a store: `objects/ab/abcd…`.
fn is_object(target: &Path) -> bool {
    let name = target.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = target.parent().and_then(Path::parent).and_then(Path::file_name);
    name.len() == 64
        && name.bytes().all(|c| c.is_ascii_hexdigit())
        && folder.is_some_and(|name| name == OBJECTS)
}

/// Target of `link`: a path relative to its folder, so that `data` can be moved.
fn target(object: &Path, link: &Path, data: &Path) -> PathBuf {
    let folder = link.parent().unwrap_or(data);
    let up = folder.strip_prefix(data).map_or(0, |below| below.components().count());
    let mut target: PathBuf = std::iter::repeat_n("..", up).collect();
    target.push(object.strip_prefix(data).unwrap_or(object));
    target
}

/// Replaces an older link, so that a link exists at any time.
fn replace(target: &Path, link: &Path, folder: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|now| now == target) {
        return Ok(());
    }
    if fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
        return Err(Error::user_error(
            Code::Conflict,
            format!("cannot link an artifact at {}: a file or folder exists there", link.display()),
            "move the file or folder elsewhere; only callsheet may write to data/out",
        ));
    }
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{}.{name}", std::process::id()));
    // A killed process with this id may have left a link with this name behind.
    let _ = fs::remove_file(&fresh);
    symlink(target, &fresh).io_context("cannot link", &fresh)?;
    fs::rename(&fresh, link).io_context("cannot link", link)
}
