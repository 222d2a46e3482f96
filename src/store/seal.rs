//! Seals of stored files. A seal is the fraction of a second in a file's modification time, derived from the file's
//! content: a write sets another fraction, and so does a copy of another file that keeps its times. Reading the time
//! therefore suffices to detect both. The seconds are the time at which the file was made.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use callsheet_worker::error::{IoContext, Result};

use super::object::Object;
use super::stored_tree::StoredFile;
use super::tree::{is_executable, umask};

/// Unit of the fractions in nanoseconds: some file systems keep no smaller unit.
const UNIT: u32 = 100;
/// Number of fractions for files that are not executable, and for those that are.
const FRACTIONS: u32 = 1_000_000_000 / UNIT / 2;

/// Returns true if every file of an object has its seal.
pub(super) fn sealed(object: &Object, files: &[StoredFile]) -> bool {
    files.iter().enumerate().all(|(number, (name, found))| {
        found.is_file()
            && found.mtime_nsec() == i64::from(fraction(object, number, name, is_executable(found)))
    })
}

/// Fraction of a second in nanoseconds that marks the file of an object with this number and name. It depends on the
/// content and on the executable bit, because a change of the bit leaves the modification time as it was.
fn fraction(object: &Object, number: usize, name: &Path, executable: bool) -> u32 {
    // Tables share their segments, so the seal of a segment is that of the segment as an object.
    let digest = object.parts.get(number).unwrap_or(&object.bytes);
    let mut hasher = blake3::Hasher::new();
    hasher.update(digest.as_bytes());
    if object.parts.is_empty() {
        hasher.update(name.as_os_str().as_encoded_bytes());
    }
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    let half = u32::from_le_bytes([a, b, c, d]) % (FRACTIONS - 1) + 1;
    (half * 2 - u32::from(executable)) * UNIT
}

/// Gives files the executable bit that their seal states, if their modes were changed after they were sealed. Returns
/// true if every file is sealed then.
pub(super) fn restore_modes(object: &Object, root: &Path, files: &[StoredFile]) -> bool {
    files.iter().enumerate().all(|(number, (name, found))| {
        let has =
            |executable: bool| found.mtime_nsec() == i64::from(fraction(object, number, name, executable));
        let now = is_executable(found);
        has(now) || has(!now) && set_mode(&path_of(root, name), !now).is_ok()
    })
}

/// Makes every file read-only, and seals it. Folders stay writable, so that they can be removed.
///
/// # Errors
/// Returns an error if a file cannot be changed.
pub(super) fn seal(object: &Object, root: &Path, files: &[StoredFile]) -> Result<()> {
    for (number, (name, found)) in files.iter().enumerate() {
        let path = path_of(root, name);
        // A file with a second hard link may belong to another program, so a copy of it is sealed.
        if found.nlink() > 1 {
            let copy = draft_next_to(root);
            fs::copy(&path, &copy).io_context("cannot copy", &path)?;
            fs::rename(&copy, &path).io_context("cannot write", &path)?;
        }
        let executable = is_executable(found);
        mark(&path, SystemTime::now(), fraction(object, number, name, executable))?;
        set_mode(&path, executable)?;
    }
    Ok(())
}

/// Seals files whose content was found to be intact. They keep the seconds of their times.
///
/// # Errors
/// Returns an error if the time of a file cannot be set.
pub(super) fn renew_seals(object: &Object, root: &Path, files: &[StoredFile]) -> Result<()> {
    for (number, (name, found)) in files.iter().enumerate() {
        let path = path_of(root, name);
        let made = found.modified().io_context("cannot read", &path)?;
        mark(&path, made, fraction(object, number, name, is_executable(found)))?;
    }
    Ok(())
}

/// Makes a file read-only for everybody whom the umask lets read it.
fn set_mode(path: &Path, executable: bool) -> Result<()> {
    let mode = if executable { 0o555 } else { 0o444 } & !umask();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).io_context("cannot protect", path)
}

/// Path of a file of the object at `root`. A trailing slash would make a folder of a file.
fn path_of(root: &Path, name: &Path) -> PathBuf {
    if name.as_os_str().is_empty() { root.to_owned() } else { root.join(name) }
}

/// Path for a copy, outside of the artifact: a name inside might belong to another file of the artifact.
fn draft_next_to(artifact: &Path) -> PathBuf {
    let mut name = artifact.file_name().unwrap_or_default().to_owned();
    name.push(".callsheet-copy");
    artifact.with_file_name(name)
}

/// Sets the modification time to the second of `made` with this fraction in nanoseconds.
fn mark(path: &Path, made: SystemTime, fraction: u32) -> Result<()> {
    let second = made.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let time = SystemTime::UNIX_EPOCH + Duration::new(second, fraction);
    let file = File::open(path).io_context("cannot read", path)?;
    // Some file systems in user space ignore a modification time without an access time.
    let times = FileTimes::new().set_accessed(time).set_modified(time);
    file.set_times(times).io_context("cannot protect", path)
}
