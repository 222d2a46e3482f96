//! `data/out`: artifacts under names that people use.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::error::{Doing, Error, Result};

/// Shows the artifact at `object` as `link` by a relative symbolic link, replacing
/// an older link atomically.
///
/// # Errors
/// When the file system refuses, or something that is no link stands in the way.
pub fn show_artifact(object: &Path, link: &Path, data: &Path) -> Result<()> {
    let folder = link.parent().unwrap_or(data);
    let up = folder.strip_prefix(data).map_or(0, |below| below.components().count());
    let below = object.strip_prefix(data).unwrap_or(object);
    let target = std::iter::repeat_n("..", up).collect::<std::path::PathBuf>().join(below);
    if fs::read_link(link).is_ok_and(|now| now == target) {
        return Ok(());
    }
    fs::create_dir_all(folder).doing("cannot create", folder)?;
    if fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
        return Err(Error::refused(
            format!("cannot show an artifact at {}: something else is there", link.display()),
            "move it away; data/out is callsheet's own",
        ));
    }
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{}.{name}", std::process::id()));
    symlink(&target, &fresh).doing("cannot link", &fresh)?;
    fs::rename(&fresh, link).doing("cannot link", link)
}
