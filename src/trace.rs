//! Traced reads of the file system.
//!
//! A run that finds nothing to do stores the trace of its reads. If every read gives the same result in the next run, there
//! is nothing to do again, and no declaration has to be parsed (a verifying trace: Mokhov et al., Build Systems a la Carte,
//! 2018). Therefore all code that decides what a run does reads through this module.
//!
//! Declarations are compared by content. Raw files and results are compared by metadata: their digests are remembered
//! under the same metadata.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs::{self, DirEntry, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::glob::{MatchOptions, PatternError};
use callsheet_worker::digest::Digest;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Kind of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum ReadKind {
    /// Content of a file.
    Content,
    /// First bytes of a file.
    Start,
    /// Kind, device and inode; links are followed.
    FileKind,
    /// Names in a folder, with their kinds.
    ReadDir,
    /// Path without links.
    Canonicalize,
    /// Inode, size, mode and times; links are followed.
    Metadata,
    /// Inode, size, mode and times of the path itself, which may be a link.
    SymlinkMetadata,
    /// Target of a link.
    ReadLink,
    /// Paths that a pattern matches.
    Glob,
    /// Value of an environment variable, which can be the path of a file.
    VarOs,
}

/// Digest of the result of a read.
type Finding = [u8; 16];

/// True while reads are traced.
static ON: AtomicBool = AtomicBool::new(false);

/// Reads of this process, while they are traced.
static OPEN: Mutex<Option<OpenTrace>> = Mutex::new(None);

#[derive(Default)]
struct OpenTrace {
    /// Reads in the order of the calls; some are repeated.
    reads: Vec<(ReadKind, PathBuf, Finding)>,
    /// True if a file may change while its metadata stays equal.
    unstable: bool,
}

/// Reads by kind, with their results.
#[derive(Debug, Deserialize, Serialize)]
pub struct Trace(BTreeMap<ReadKind, Reads>);

/// Reads of one kind.
#[derive(Debug, Deserialize, Serialize)]
struct Reads {
    paths: Vec<PathBuf>,
    /// Digest of the results.
    found: Digest,
}

/// Starts a trace of all reads.
pub fn begin() {
    *open() = Some(OpenTrace::default());
    ON.store(true, Relaxed);
}

/// Ends the trace, and returns it unless a result may have changed in the meantime.
pub fn end() -> Option<Trace> {
    ON.store(false, Relaxed);
    let OpenTrace { mut reads, unstable } = open().take()?;
    reads.sort_unstable();
    reads.dedup();
    // If a repeated read gave another result, something changed. JSON cannot contain paths that are not UTF-8.
    let differs = reads.windows(2).any(|pair| (pair[0].0, &pair[0].1) == (pair[1].0, &pair[1].1));
    if unstable || differs || reads.iter().any(|(_, path, _)| path.to_str().is_none()) {
        return None;
    }
    let mut by_kind: BTreeMap<ReadKind, (Vec<PathBuf>, Vec<Finding>)> = BTreeMap::new();
    for (kind, path, finding) in reads {
        let (paths, found) = by_kind.entry(kind).or_default();
        paths.push(path);
        found.push(finding);
    }
    let reads = |(paths, found): (Vec<PathBuf>, Vec<Finding>)| Reads { paths, found: digest(&found) };
    Some(Trace(by_kind.into_iter().map(|(kind, all)| (kind, reads(all))).collect()))
}

/// States that a file which was read may change while its metadata stays equal: the times of files are coarse.
pub fn mark_unstable() {
    if let Some(trace) = &mut *open() {
        trace.unstable = true;
    }
}

impl Trace {
    /// Returns true if every read gives the same result again. The check ends with the first kind of reads that does not.
    pub fn is_valid(&self) -> bool {
        self.0.iter().all(|(kind, reads)| {
            let found: Vec<Finding> = reads.paths.par_iter().map(|path| repeat(*kind, path)).collect();
            digest(&found) == reads.found
        })
    }
}

fn digest(found: &[Finding]) -> Digest {
    blake3::hash(found.as_flattened()).into()
}

fn open() -> MutexGuard<'static, Option<OpenTrace>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a read to the trace.
fn traced<T>(
    kind: ReadKind,
    path: &Path,
    result: io::Result<T>,
    found: impl FnOnce(&T) -> Finding,
) -> io::Result<T> {
    if !ON.load(Relaxed) {
        return result;
    }
    let finding = of(&result, found);
    if let Some(trace) = &mut *open() {
        trace.reads.push((kind, path.to_owned(), finding));
    }
    result
}

/// Digest of a result. Errors of one kind are equal.
fn of<T>(result: &io::Result<T>, found: impl FnOnce(&T) -> Finding) -> Finding {
    match result {
        Ok(value) => found(value),
        Err(error) => hash(&[b"error", format!("{:?}", error.kind()).as_bytes()]),
    }
}

/// Repeats a read without tracing it.
fn repeat(kind: ReadKind, path: &Path) -> Finding {
    match kind {
        ReadKind::Content => of(&content(path), |found| *found),
        ReadKind::Start => of(&first_bytes(path), |bytes| of_bytes(bytes)),
        ReadKind::FileKind => of(&fs::metadata(path), of_kind),
        ReadKind::ReadDir => of(&entries(path), |found| of_names(found)),
        ReadKind::Canonicalize => of(&fs::canonicalize(path), |found| of_path(found)),
        ReadKind::Metadata => of(&fs::metadata(path), of_state),
        ReadKind::SymlinkMetadata => of(&fs::symlink_metadata(path), of_state),
        ReadKind::ReadLink => of(&fs::read_link(path), |found| of_path(found)),
        ReadKind::Glob => glob_all(&path.to_string_lossy()).map_or([0; 16], |found| of_paths(&found)),
        ReadKind::VarOs => of_variable(env::var_os(path).as_ref()),
    }
}

/// Reads a text.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    traced(ReadKind::Content, path, fs::read_to_string(path), |text| of_bytes(text.as_bytes()))
}

/// Reads a file.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    traced(ReadKind::Content, path, fs::read(path), |bytes| of_bytes(bytes))
}

/// Digest of a file's content, which is not kept in memory.
fn content(path: &Path) -> io::Result<Finding> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(short(&hasher))
}

fn of_bytes(bytes: &[u8]) -> Finding {
    short(blake3::Hasher::new().update(bytes))
}

fn short(hasher: &blake3::Hasher) -> Finding {
    let mut finding = [0; 16];
    hasher.finalize_xof().fill(&mut finding);
    finding
}

/// Digest of several byte strings.
fn hash(parts: &[&[u8]]) -> Finding {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    short(&hasher)
}

/// Kind, device and inode of what a path leads to.
///
/// # Errors
/// Returns an error if the path leads to nothing.
pub fn file_kind(path: &Path) -> io::Result<Metadata> {
    traced(ReadKind::FileKind, path, fs::metadata(path), of_kind)
}

/// Returns true if the path leads to a file.
pub fn is_file(path: &Path) -> bool {
    file_kind(path).is_ok_and(|found| found.is_file())
}

/// Returns true if the path leads to a folder.
pub fn is_dir(path: &Path) -> bool {
    file_kind(path).is_ok_and(|found| found.is_dir())
}

/// Returns true if the path leads to something.
pub fn exists(path: &Path) -> bool {
    file_kind(path).is_ok()
}

fn of_kind(found: &Metadata) -> Finding {
    let kind = type_name(found.file_type());
    hash(&[&[kind], &found.dev().to_le_bytes(), &found.ino().to_le_bytes()])
}

fn type_name(kind: FileType) -> u8 {
    match (kind.is_file(), kind.is_dir(), kind.is_symlink()) {
        (true, ..) => b'f',
        (_, true, _) => b'd',
        (_, _, true) => b'l',
        _ => b'?',
    }
}

/// Entries of a folder, sorted by name.
///
/// # Errors
/// Returns an error if the folder cannot be listed.
pub fn read_dir(folder: &Path) -> io::Result<Vec<DirEntry>> {
    traced(ReadKind::ReadDir, folder, entries(folder), |found| of_names(found))
}

fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<DirEntry>>>()?;
    entries.sort_by_cached_key(DirEntry::file_name);
    Ok(entries)
}

fn of_names(found: &[DirEntry]) -> Finding {
    let names: Vec<(OsString, u8)> =
        found.iter().map(|entry| (entry.file_name(), entry.file_type().map_or(b'?', type_name))).collect();
    let parts = names.iter().flat_map(|(name, kind)| [name.as_bytes(), std::slice::from_ref(kind)]);
    hash(&parts.collect::<Vec<_>>())
}

/// Path without links.
///
/// # Errors
/// Returns an error if the path leads to nothing.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    traced(ReadKind::Canonicalize, path, fs::canonicalize(path), |found| of_path(found))
}

/// Target of a link.
///
/// # Errors
/// Returns an error if the path is not a link.
pub fn read_link(link: &Path) -> io::Result<PathBuf> {
    traced(ReadKind::ReadLink, link, fs::read_link(link), |found| of_path(found))
}

fn of_path(path: &Path) -> Finding {
    hash(&[path.as_os_str().as_bytes()])
}

fn of_paths(paths: &[PathBuf]) -> Finding {
    hash(&paths.iter().map(|path| path.as_os_str().as_bytes()).collect::<Vec<_>>())
}

/// State of what a path leads to.
///
/// # Errors
/// Returns an error if the path leads to nothing.
pub fn metadata(path: &Path) -> io::Result<Metadata> {
    traced(ReadKind::Metadata, path, fs::metadata(path), of_state)
}

/// First four bytes of a file.
///
/// # Errors
/// Returns an error if the file cannot be read, or is shorter.
pub fn start(path: &Path) -> io::Result<[u8; 4]> {
    traced(ReadKind::Start, path, first_bytes(path), |bytes| of_bytes(bytes))
}

fn first_bytes(path: &Path) -> io::Result<[u8; 4]> {
    let mut bytes = [0; 4];
    File::open(path)?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// State of a path itself, which may be a link.
///
/// # Errors
/// Returns an error if there is nothing at the path.
pub fn symlink_metadata(path: &Path) -> io::Result<Metadata> {
    traced(ReadKind::SymlinkMetadata, path, fs::symlink_metadata(path), of_state)
}

fn of_state(found: &Metadata) -> Finding {
    let numbers = [
        found.dev(),
        found.ino(),
        found.len(),
        u64::from(found.mode()),
        found.mtime().cast_unsigned(),
        found.mtime_nsec().cast_unsigned(),
        found.ctime().cast_unsigned(),
        found.ctime_nsec().cast_unsigned(),
    ];
    of_bytes(numbers.map(u64::to_le_bytes).as_flattened())
}

/// Paths that a pattern matches.
///
/// # Errors
/// Returns an error if the pattern is malformed.
pub fn glob(pattern: &str) -> Result<Vec<::glob::GlobResult>, PatternError> {
    let found: Vec<::glob::GlobResult> = ::glob::glob_with(pattern, MATCH_OPTIONS)?.collect();
    let paths: Vec<PathBuf> = found.iter().map(path_of).collect();
    let _ = traced(ReadKind::Glob, Path::new(pattern), Ok(paths), |paths| of_paths(paths));
    Ok(found)
}

/// Options for [`glob`]: hidden files must be named.
const MATCH_OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: true,
};

fn glob_all(pattern: &str) -> Result<Vec<PathBuf>, PatternError> {
    Ok(::glob::glob_with(pattern, MATCH_OPTIONS)?.map(|found| path_of(&found)).collect())
}

fn path_of(found: &::glob::GlobResult) -> PathBuf {
    match found {
        Ok(path) => path.clone(),
        Err(error) => error.path().to_owned(),
    }
}

/// Value of an environment variable.
pub fn var_os(name: &str) -> Option<OsString> {
    let value = env::var_os(name);
    let _ = traced(ReadKind::VarOs, Path::new(name), Ok(()), |()| of_variable(value.as_ref()));
    value
}

fn of_variable(value: Option<&OsString>) -> Finding {
    value.map_or([0; 16], |value| hash(&[value.as_bytes()]))
}
