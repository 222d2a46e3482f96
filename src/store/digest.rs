//! Digests of the bytes of files and folders.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};

/// Bytes of a file that are hashed while the next chunk is read.
const CHUNK: usize = 4 << 20;

/// BLAKE3 digest of a file's bytes, computed on all cores if the file is large. The file is read, not mapped
/// into memory: if another program truncated a mapped file, the system would kill this process.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn digest_file(path: &Path) -> Result<Digest> {
    let digest = digest_while(path, |_| true)?;
    Ok(digest.expect("the callback always returns true"))
}

/// Computes [`digest_file`], and calls `go_on` with the number of bytes hashed so far after each chunk of a
/// large file. Returns `None` if `go_on` returns false.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(super) fn digest_while(path: &Path, go_on: impl FnMut(u64) -> bool) -> Result<Option<Digest>> {
    let file = File::open(path).io_context("cannot read", path)?;
    digest_reader(file, go_on).io_context("cannot read", path)
}

fn digest_reader(mut file: File, mut go_on: impl FnMut(u64) -> bool) -> io::Result<Option<Digest>> {
    let mut hasher = blake3::Hasher::new();
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(CHUNK);
    if size < CHUNK {
        let mut bytes = Vec::with_capacity(size + 1);
        file.read_to_end(&mut bytes)?;
        return Ok(Some(blake3::hash(&bytes).into()));
    }
    let (mut full, mut free) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
    fill(&mut file, &mut full)?;
    while !full.is_empty() {
        let (done, read) = rayon::join(|| hasher.update_rayon(&full).count(), || fill(&mut file, &mut free));
        read?;
        if !go_on(done) {
            return Ok(None);
        }
        std::mem::swap(&mut full, &mut free);
    }
    Ok(Some(hasher.finalize().into()))
}

fn fill(file: &mut File, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    file.take(CHUNK as u64).read_to_end(buffer).map(drop)
}

/// BLAKE3 digest over the sorted files below a folder: the length of each name, the name, and the digest of
/// the file.
///
/// # Errors
/// Returns an error if something in the folder cannot be read, or is neither a file nor a folder.
pub fn digest_directory(path: &Path) -> Result<Digest> {
    let digest = |file: PathBuf| {
        let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
        Ok((name, digest_file(&file)?))
    };
    Ok(digest_named(files_below(path)?.into_iter().map(digest).collect::<Result<Vec<_>>>()?))
}

/// Digest over named files in the given order, as [`digest_directory`] computes it.
pub fn digest_named(files: impl IntoIterator<Item = (String, Digest)>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (name, digest) in files {
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher.update(digest.to_string().as_bytes());
    }
    hasher.finalize().into()
}

/// Every file below a folder, sorted.
///
/// # Errors
/// Returns an error if a folder cannot be read, or contains something that is neither a file nor a folder.
pub(super) fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).io_context("cannot list", &folder)? {
            let entry = entry.io_context("cannot list", &folder)?;
            let kind = entry.file_type().io_context("cannot read", entry.path())?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            } else {
                let odd = std::io::Error::other("neither a file nor a folder");
                return Err(odd).io_context("cannot store", entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
