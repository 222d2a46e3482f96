//! Images that are named on the command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use callsheet_pictures::format::{FORMATS, is_other_image};
use callsheet_worker::code::Code;
use callsheet_worker::print::{plain, say};
use callsheet_worker::user_error_with_code;
use image::RgbImage;

use super::paths::path_error;
use crate::lib::names::{is_hidden, natural};
use crate::lib::picture::{is_image, read};

/// Number of files that a note names; the rest are only counted.
const NAMED: usize = 3;

/// Decodes the image in a file.
///
/// # Errors
/// Returns an error if the file cannot be read or decoded.
pub(super) fn opened(path: &Path) -> Result<RgbImage> {
    let bytes = fs::read(path).map_err(|error| path_error("cannot read", path, error))?;
    read(&bytes, path)
}

/// Returns `path` itself, or the images in it, in the natural order of their names, if it is a folder. Notes on
/// stderr count and name the entries of the folder that are left out.
///
/// # Errors
/// Returns an error if the folder contains no image, or two images that differ only in their extension.
pub(super) fn pictures(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries: Vec<PathBuf> = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>())
        .map_err(|error| path_error("cannot list", path, error))?;
    let found = sorted_out(path, entries);
    if found.is_empty() {
        return Err(user_error_with_code(
            Code::Unsupported,
            format!("`{}` contains no image", path.display()),
            format!("name a folder that contains {FORMATS} files"),
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

/// Returns the images among the entries of a folder, and prints notes about the others.
fn sorted_out(folder: &Path, mut entries: Vec<PathBuf>) -> Vec<PathBuf> {
    entries.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()).then(a.cmp(b)));
    let (mut found, mut copies, mut others, mut folders) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for path in entries {
        let image = is_image(&path) || is_other_image(&path);
        match path.file_name().is_some_and(|name| is_hidden(Path::new(name))) {
            true if image || path.is_dir() => copies.push(path),
            true => {}
            false if path.is_dir() => folders.push(path),
            false if is_image(&path) => found.push(path),
            false if image => others.push(path),
            false => {}
        }
    }
    note(&copies, &format!("hidden copies in `{}`", folder.display()));
    note(&others, &format!("images that are not {FORMATS} in `{}`", folder.display()));
    note(&folders, &format!("folders in `{}`", folder.display()));
    found
}

/// Prints a note on stderr that files are left out: their number, `what` they are, and some of their names.
pub(super) fn note(paths: &[PathBuf], what: &str) {
    if paths.is_empty() {
        return;
    }
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut names: Vec<String> = paths.iter().take(NAMED).map(name).collect();
    if paths.len() > NAMED {
        names.push(format!("and {} more", paths.len() - NAMED));
    }
    say(&plain(&format!("note: {what} were left out ({}): {}", paths.len(), names.join(", "))));
}
