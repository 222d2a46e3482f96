//! Digests of the bytes of files and folders.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};

use super::tree::{Entry, EntryKind, is_executable, tree};

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

/// Function that is called with the number of bytes after each part of a file that was hashed.
pub(super) type Tick<'a> = &'a (dyn Fn(u64) + Sync);

/// Computes [`digest_file`], and calls `tick` after each part.
pub(super) fn digest_ticking(path: &Path, tick: Tick) -> Result<Digest> {
    let mut before = 0;
    let digest = digest_while(path, |done| {
        tick(done - std::mem::replace(&mut before, done));
        true
    })?;
    Ok(digest.expect("the callback always returns true"))
}

/// BLAKE3 digest of everything below a folder, in the order of the names: the length and the bytes of each name, the
/// kind of the entry, and the digest of the file or of the target of the link.
///
/// # Errors
/// Returns an error if something in the folder cannot be read or stored.
pub(super) fn digest_directory(path: &Path, tick: Tick) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    for Entry { name, kind, .. } in tree(path)? {
        let text = name.as_os_str().as_bytes();
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text);
        match kind {
            EntryKind::File => {
                hasher.update(b"file").update(digest_ticking(&path.join(&name), tick)?.as_bytes())
            }
            EntryKind::Executable => {
                hasher.update(b"exec").update(digest_ticking(&path.join(&name), tick)?.as_bytes())
            }
            EntryKind::Link(to) => {
                hasher.update(b"link").update(blake3::hash(to.as_os_str().as_bytes()).as_bytes())
            }
            EntryKind::EmptyFolder => hasher.update(b"none"),
        };
    }
    Ok(hasher.finalize().into())
}

/// BLAKE3 digest of a file and of its executable bit: [`digest_file`] of a file that is not executable.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(super) fn digest_with_mode(path: &Path, tick: Tick) -> Result<Digest> {
    let digest = digest_ticking(path, tick)?;
    let executable = is_executable(&fs::metadata(path).io_context("cannot read", path)?);
    Ok(if executable {
        blake3::Hasher::new().update(b"exec").update(digest.as_bytes()).finalize().into()
    } else {
        digest
    })
}

/// Digest over named files in the given order: the length and the bytes of each name, and the digest of the file.
pub fn digest_named(files: impl IntoIterator<Item = (String, Digest)>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (name, digest) in files {
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher.update(b"file").update(digest.as_bytes());
    }
    hasher.finalize().into()
}

/// Every file below a folder, sorted.
///
/// # Errors
/// Returns an error if a folder cannot be read, or something in it cannot be stored.
pub(super) fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(tree(path)?.into_iter().filter(Entry::is_file).map(|entry| path.join(entry.name)).collect())
}
