//! Images that commands are given.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_worker::code::Code;
use callsheet_worker::user_error;
use image::RgbImage;

use crate::lib::picture::{is_image, read};

/// The image in a file.
///
/// # Errors
/// When it is unreadable.
pub(super) fn opened(path: &Path) -> Result<RgbImage> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    read(&bytes, path)
}

/// The image at `path`, or those of the folder by name.
///
/// # Errors
/// When there is none, or two differ in their extension alone.
pub(super) fn pictures(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|p| is_image(p)).collect();
    found.sort();
    if found.is_empty() {
        return Err(user_error(
            Code::Unsupported,
            format!("{} holds no image", path.display()),
            "PNG and JPEG files are read",
        ));
    }
    let mut by_name: BTreeMap<OsString, &PathBuf> = BTreeMap::new();
    for path in &found {
        if let Some(other) = by_name.insert(path.file_stem().unwrap_or_default().to_owned(), path) {
            let (a, b) = (other.display(), path.display());
            return Err(user_error(
                Code::Conflict,
                format!("{a} and {b} have one name"),
                "rename one of them",
            ));
        }
    }
    Ok(found)
}
