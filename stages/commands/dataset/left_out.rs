//! Images in a dataset's folder that do not belong to the dataset.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_pictures::format::is_other_image;

use super::expected::RawFile;
use crate::lib::names::is_hidden;
use crate::lib::picture::is_image;

/// Images in a dataset's folder that do not belong to the dataset, relative to the folder.
#[derive(Default)]
pub(super) struct LeftOut {
    /// Number of hidden copies and of metadata of archives.
    pub hidden: usize,
    /// Images in formats that are not supported.
    pub other_format: Vec<String>,
    /// Images that the pattern of the dataset's file does not match.
    pub unmatched: Vec<String>,
}

/// Searches the folders that the files of a dataset share.
///
/// # Errors
/// Returns an error if a folder cannot be read.
pub(super) fn left_out(files: &[RawFile]) -> Result<LeftOut> {
    let known: BTreeSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
    let base = |file: &RawFile| {
        let depth = Path::new(&file.name).components().count();
        file.path.ancestors().nth(depth).map(Path::to_owned)
    };
    let folders: BTreeSet<PathBuf> = files.iter().filter_map(base).collect();
    let mut found = LeftOut::default();
    for folder in &folders {
        let mut images = Vec::new();
        collect(folder, &mut images).with_context(|| format!("cannot list `{}`", folder.display()))?;
        images.sort();
        for path in images.iter().filter(|path| !known.contains(path.as_path())) {
            let name = path.strip_prefix(folder).unwrap_or(path);
            let shown = name.to_string_lossy().into_owned();
            match is_hidden(name) {
                true => found.hidden += 1,
                false if is_image(path) => found.unmatched.push(shown),
                false => found.other_format.push(shown),
            }
        }
    }
    Ok(found)
}

/// Collects the images below a folder. Links to folders are not followed.
fn collect(folder: &Path, images: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, images)?;
        } else if is_image(&path) || is_other_image(&path) {
            images.push(path);
        }
    }
    Ok(())
}
