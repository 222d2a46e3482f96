//! Contents of a folder: files, links and empty folders.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};

use crate::trace;

/// Entry of a folder, at any depth. A folder that contains something is not an entry of its own.
#[derive(Debug)]
pub(super) struct Entry {
    /// Path relative to the folder; it need not be UTF-8.
    pub name: PathBuf,
    /// Kind of the entry.
    pub kind: EntryKind,
    /// Size and times of the file; `None` for an empty folder.
    pub state: Option<fs::Metadata>,
}

/// Kind of an [`Entry`].
#[derive(Debug, PartialEq)]
pub(super) enum EntryKind {
    /// File.
    File,
    /// File that its owner may execute.
    Executable,
    /// Symbolic link to this target, which is inside the folder.
    Link(PathBuf),
    /// Folder without entries.
    EmptyFolder,
}

impl Entry {
    /// Returns true if the entry is a file.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.kind, EntryKind::File | EntryKind::Executable)
    }
}

/// Returns the entries below `root`, sorted by the bytes of their names.
///
/// # Errors
/// Returns an error if a folder cannot be read, or if a link leads out of `root` or to nothing. Also returns an error
/// if an entry is neither a file nor a folder nor a link.
pub(super) fn tree(root: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let before = entries.len() + open.len();
        for entry in trace::read_dir(&folder).io_context("cannot list", &folder)? {
            let path = entry.path();
            let found = trace::symlink_metadata(&path).io_context("cannot read", &path)?;
            if found.is_dir() {
                open.push(path);
                continue;
            }
            let kind = match found.file_type() {
                kind if kind.is_file() && is_executable(&found) => EntryKind::Executable,
                kind if kind.is_file() => EntryKind::File,
                kind if kind.is_symlink() => EntryKind::Link(target_inside(root, &path)?),
                _ => {
                    let odd = std::io::Error::other("neither a file nor a folder nor a link");
                    return Err(odd).io_context("cannot store", path);
                }
            };
            entries.push(Entry { name: relative(root, &path), kind, state: Some(found) });
        }
        if entries.len() + open.len() == before && folder != root {
            entries.push(Entry { name: relative(root, &folder), kind: EntryKind::EmptyFolder, state: None });
        }
    }
    entries.sort_by(|a, b| a.name.as_os_str().as_bytes().cmp(b.name.as_os_str().as_bytes()));
    Ok(entries)
}

/// Returns true if the owner may execute the file.
pub(super) fn is_executable(file: &fs::Metadata) -> bool {
    file.permissions().mode() & 0o100 != 0
}

/// Lets the owner read every file, and gives every folder the rights of a new one: programs write read-only folders,
/// from which nothing could be moved or removed, and private ones. Links are not followed.
///
/// # Errors
/// Returns an error if a file or folder cannot be read or changed.
pub fn open_to_owner(path: &Path) -> Result<()> {
    let found = fs::symlink_metadata(path).io_context("cannot read", path)?;
    let wanted = if found.is_dir() { 0o700 | 0o777 & !umask() } else { 0o400 };
    let mode = found.permissions().mode();
    if !found.is_symlink() && mode & wanted != wanted {
        fs::set_permissions(path, Permissions::from_mode(mode | wanted)).io_context("cannot unlock", path)?;
    }
    if found.is_dir() {
        for entry in fs::read_dir(path).io_context("cannot list", path)? {
            open_to_owner(&entry.io_context("cannot list", path)?.path())?;
        }
    }
    Ok(())
}

/// Rights that new files and folders do not get, for example those of other users.
pub(super) fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o022)
    })
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// Returns the target of a link, which must exist and must still be inside of `root` after `root` was moved.
fn target_inside(root: &Path, link: &Path) -> Result<PathBuf> {
    let target = trace::read_link(link).io_context("cannot read", link)?;
    let real = |path: &Path| trace::canonicalize(path);
    let exists = match real(link) {
        Ok(found) => found.starts_with(real(root).io_context("cannot read", root)?),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(error).io_context("cannot read", link),
    };
    let from = relative(root, link).components().count() - 1;
    if exists && stays_below(from, &target) {
        return Ok(target);
    }
    Err(Error::user_error(
        Code::WorkerOutput,
        format!(
            "the output contains the link {} to `{}`, which is not inside the output",
            relative(root, link).display(),
            target.display()
        ),
        "copy the file instead, or use a relative link to a file or folder of the same output",
    ))
}

/// Returns true if a relative path that starts `depth` folders below a root never leaves that root.
fn stays_below(depth: usize, path: &Path) -> bool {
    let mut depth = Some(depth);
    for part in path.components() {
        depth = match (part, depth) {
            (Component::Normal(_), Some(depth)) => Some(depth + 1),
            (Component::CurDir, depth) => depth,
            (Component::ParentDir, Some(depth)) => depth.checked_sub(1),
            _ => None,
        };
    }
    depth.is_some()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn named(root: &Path) -> Vec<(String, EntryKind)> {
        let entries = tree(root).expect("readable");
        entries.into_iter().map(|entry| (entry.name.display().to_string(), entry.kind)).collect()
    }

    #[test]
    fn a_tree_has_files_links_and_empty_folders() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(root.path().join("a/empty")).expect("created");
        fs::write(root.path().join("a/tool"), "#!/bin/sh").expect("written");
        fs::set_permissions(root.path().join("a/tool"), Permissions::from_mode(0o755)).expect("set");
        fs::write(root.path().join("b"), "").expect("written");
        symlink("../b", root.path().join("a/link")).expect("linked");
        assert_eq!(
            named(root.path()),
            [
                ("a/empty".to_owned(), EntryKind::EmptyFolder),
                ("a/link".to_owned(), EntryKind::Link("../b".into())),
                ("a/tool".to_owned(), EntryKind::Executable),
                ("b".to_owned(), EntryKind::File),
            ]
        );
    }

    #[test]
    fn a_link_that_leaves_its_folder_is_refused_even_if_it_comes_back() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let name = root.path().file_name().expect("a name").to_string_lossy().into_owned();
        fs::write(root.path().join("b"), "").expect("written");
        for target in [
            "/etc/hosts",
            "../x",
            "none",
            &format!("../{name}/b"),
            &root.path().join("b").display().to_string(),
        ] {
            symlink(target, root.path().join("link")).expect("linked");
            let error = tree(root.path()).expect_err("refused").to_string();
            assert!(error.contains(target), "{error}");
            fs::remove_file(root.path().join("link")).expect("removed");
        }
    }
}
