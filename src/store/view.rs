//! `data/out`: artifacts under names that people use.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{Doing, Error, Result};

/// Whether `link` shows the artifact at `object`.
pub fn is_shown(object: &Path, link: &Path, data: &Path) -> bool {
    fs::read_link(link).is_ok_and(|now| now == target(object, link, data))
}

/// Where `link` leads: a path relative to its folder, so that `data` can be moved.
fn target(object: &Path, link: &Path, data: &Path) -> PathBuf {
    let folder = link.parent().unwrap_or(data);
    let up = folder.strip_prefix(data).map_or(0, |below| below.components().count());
    let mut target: PathBuf = std::iter::repeat_n("..", up).collect();
    target.push(object.strip_prefix(data).unwrap_or(object));
    target
}

/// Shows the artifact at `object` as `link` by a relative symbolic link, replacing
/// an older link atomically.
///
/// # Errors
/// When the file system refuses, or something that is no link stands in the way.
pub fn show_artifact(object: &Path, link: &Path, data: &Path) -> Result<()> {
    if is_shown(object, link, data) {
        return Ok(());
    }
    let folder = link.parent().unwrap_or(data);
    fs::create_dir_all(folder).doing("cannot create", folder)?;
    if fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
        return Err(Error::refused(
            format!("cannot show an artifact at {}: something else is there", link.display()),
            "move it away; data/out is callsheet's own",
        ));
    }
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{}.{name}", std::process::id()));
    symlink(target(object, link, data), &fresh).doing("cannot link", &fresh)?;
    fs::rename(&fresh, link).doing("cannot link", link)
}
