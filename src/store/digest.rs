//! Digests of files and folders by their bytes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Doing, Result};
use crate::key::Digest;

/// BLAKE3 of a file's bytes, on all cores where the file is large.
///
/// # Errors
/// When it cannot be read.
pub fn digest_file(path: &Path) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap_rayon(path).doing("cannot read", path)?;
    Ok(hasher.finalize().into())
}

/// BLAKE3 of the sorted names, lengths and digests of the files below a folder.
///
/// # Errors
/// When something in it cannot be read, or is neither a file nor a folder.
pub fn digest_directory(path: &Path) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    for file in files_below(path)? {
        let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher.update(digest_file(&file)?.to_string().as_bytes());
    }
    Ok(hasher.finalize().into())
}

/// Every file below a folder, sorted.
///
/// # Errors
/// When a folder cannot be read, or something in it is neither a file nor a folder.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).doing("cannot list", &folder)? {
            let entry = entry.doing("cannot list", &folder)?;
            let kind = entry.file_type().doing("cannot read", entry.path())?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            } else {
                let odd = std::io::Error::other("neither a file nor a folder");
                return Err(odd).doing("cannot keep", entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
