//! Files below a folder, in which links to folders are followed.

use std::io;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use walkdir::{DirEntry, WalkDir};

/// Returns the files below `root`/`base`, relative to `root`, at most `depth` folders deep. A link that leads to a
/// folder above it is not followed, so each folder is visited once for each path without loops. Hidden entries are
/// visited only if `hidden` is true.
///
/// # Errors
/// Returns an error if a folder or the target of a link cannot be read, or the name of a file is not UTF-8.
pub(super) fn walk(root: &Path, base: &Path, depth: usize, hidden: bool) -> Result<Vec<PathBuf>> {
    let top = root.join(base);
    if !top.is_dir() {
        return Ok(Vec::new());
    }
    let visible = |entry: &DirEntry| {
        hidden || entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let mut files = Vec::new();
    for entry in WalkDir::new(&top).follow_links(true).max_depth(depth).into_iter().filter_entry(visible) {
        let entry = match entry {
            Err(error) if error.loop_ancestor().is_some() => continue,
            Err(error) => {
                let path = error.path().unwrap_or(&top).to_owned();
                let cause = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
                return Err(cause).io_context("cannot read", path);
            }
            Ok(entry) => entry,
        };
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.path();
        if path.to_str().is_none() {
            return Err(Error::user_error(
                Code::Unreadable,
                format!("the name of {} is not UTF-8", path.display()),
                "rename the file",
            ));
        }
        files.push(path.strip_prefix(root).unwrap_or(path).to_owned());
    }
    Ok(files)
}
