//! Images that are named on the command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::user_error_with_code;
use image::RgbImage;

use super::paths::path_error;
use crate::lib::picture::{is_image, read};

/// Decodes the image in a file.
///
/// # Errors
/// Returns an error if the file cannot be read or decoded.
pub(super) fn opened(path: &Path) -> Result<RgbImage> {
    let bytes = fs::read(path).map_err(|error| path_error("cannot read", path, error))?;
    read(&bytes, path)
}

/// Returns `path` itself, or the images in it, sorted by name, if it is a folder.
///
/// # Errors
/// Returns an error if the folder contains no image, or two images that differ only in their extension.
pub(super) fn pictures(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|error| path_error("cannot list", path, error))?;
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|p| is_image(p)).collect();
    found.sort();
    if found.is_empty() {
        return Err(user_error_with_code(
            Code::Unsupported,
            format!("`{}` contains no image", path.display()),
            "name a folder that contains PNG or JPEG files",
        ));
    }
    let mut by_name: BTreeMap<OsString, &PathBuf> = BTreeMap::new();
    for path in &found {
        if let Some(other) = by_name.insert(path.file_stem().unwrap_or_default().to_owned(), path) {
            let (a, b) = (other.display(), path.display());
            return Err(user_error_with_code(
                Code::Conflict,
                format!("`{a}` and `{b}` differ only in the extension, but names without it must be unique"),
                "rename one of these images",
            ));
        }
    }
    Ok(found)
}
