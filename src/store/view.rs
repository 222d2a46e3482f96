//! `data/out`: artifacts under names that people use.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Doing, Error, Result};

use super::object::Object;
use super::root::Store;

/// Folder of the named views of a pipeline's artifacts over a dataset.
pub fn out(data: &Path, pipeline: &str, dataset: &str) -> PathBuf {
    data.join("out").join(pipeline).join(dataset)
}

impl Store {
    /// Returns true if `link` shows the object.
    pub fn is_shown(&self, object: &Object, link: &Path, data: &Path) -> bool {
        fs::read_link(link).is_ok_and(|now| now == target(&self.object_path(object), link, data))
    }

    /// Shows an object as `link` by a relative symbolic link, replacing an older link atomically.
    ///
    /// # Errors
    /// When the file system refuses, or something that is not a link stands in the way.
    pub fn show(&self, object: &Object, link: &Path, data: &Path) -> Result<()> {
        let folder = link.parent().unwrap_or(data);
        let target = target(&self.object_path(object), link, data);
        // Most often there is nothing yet.
        let made = symlink(&target, link).or_else(|error| match error.kind() {
            ErrorKind::NotFound => fs::create_dir_all(folder).and_then(|()| symlink(&target, link)),
            _ => Err(error),
        });
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => replace(&target, link, folder),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(error).doing("cannot create", folder),
            made => made.doing("cannot create", link),
        }
    }
}

/// Target of `link`: a path relative to its folder, so that `data` can be moved.
fn target(object: &Path, link: &Path, data: &Path) -> PathBuf {
    let folder = link.parent().unwrap_or(data);
    let up = folder.strip_prefix(data).map_or(0, |below| below.components().count());
    let mut target: PathBuf = std::iter::repeat_n("..", up).collect();
    target.push(object.strip_prefix(data).unwrap_or(object));
    target
}

/// Puts a link in the place of an older one, so that there is always one of them.
fn replace(target: &Path, link: &Path, folder: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|now| now == target) {
        return Ok(());
    }
    if fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
        return Err(Error::refused(
            Code::Conflict,
            format!("cannot show an artifact at {}: something else is there", link.display()),
            "move it away; data/out is callsheet's own",
        ));
    }
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{}.{name}", std::process::id()));
    // One that a killed process of this id may have left.
    let _ = fs::remove_file(&fresh);
    symlink(target, &fresh).doing("cannot link", &fresh)?;
    fs::rename(&fresh, link).doing("cannot link", link)
}
