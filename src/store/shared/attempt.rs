//! Attempts at long work: each run has its own folder of checkpoints, which begins as a copy of the newest other one. A run
//! that was taken for dead may wake up and write on, without harm to the run that took over.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};

use super::sharing::Sharing;
use crate::store::files::{copy_tree, create_below, entries, remove};
use crate::store::half::draft_folder;

/// Number of copies that are made of a folder that changes meanwhile.
const COPIES: usize = 5;

impl Sharing {
    /// Creates the folder of this process below `all`, the folder of all attempts at one work. It begins as a copy of the
    /// newest attempt of another run that can be read, otherwise of `earlier`. Its path is complete as soon as it exists. A
    /// second call returns the same folder. Also returns the newer attempts that could not be copied.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub(in crate::store) fn attempt(
        &self,
        all: &Path,
        earlier: Option<&Path>,
        staging: &Path,
    ) -> Result<(PathBuf, Vec<PathBuf>)> {
        create_below(&self.root, all)?;
        let run = &self.holder().run;
        let mut attempts: Vec<(u64, PathBuf)> =
            entries(all)?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
        attempts.sort();
        if let Some((_, own)) = attempts.iter().find(|(_, path)| run_of(path) == Some(run)) {
            return Ok((own.clone(), Vec::new()));
        }
        let next = attempts.last().map_or(0, |(last, _)| last + 1);
        let draft = draft_folder(staging)?.keep();
        let mut skipped = Vec::new();
        let earlier = earlier.filter(|earlier| earlier.is_dir()).map(Path::to_owned);
        for from in attempts.into_iter().rev().map(|(_, from)| from).chain(earlier) {
            if copy_settled(&from, &draft).is_ok() {
                break;
            }
            remove(&draft)?;
            fs::create_dir(&draft).io_context("cannot create", &draft)?;
            skipped.push(from);
        }
        let own = all.join(format!("{next}.{run}"));
        fs::rename(&draft, &own).io_context("cannot create", &own)?;
        Ok((own, skipped))
    }
}

/// Run of an attempt, whose id contains dots, too.
pub(super) fn run_of(path: &Path) -> Option<&str> {
    Some(path.file_name()?.to_str()?.split_once('.')?.1)
}

/// Number of an attempt, `2` of `2.<run>`.
pub(super) fn number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.split_once('.')?.0.parse().ok()
}

/// Copies a folder. If its files change meanwhile, because its run was wrongly taken for dead, copies it again.
fn copy_settled(from: &Path, to: &Path) -> std::io::Result<()> {
    for attempt in 1.. {
        let before = states(from)?;
        let copied = fs::create_dir_all(to).and_then(|()| copy_tree(from, to));
        if attempt == COPIES || copied.is_ok() && states(from)? == before {
            return copied;
        }
        fs::remove_dir_all(to)?;
    }
    Ok(())
}

/// Path, inode, size and modification time of a file.
pub(in crate::store) type State = (PathBuf, u64, u64, i64, i64);

/// Identities, sizes and times of everything below a folder.
pub(in crate::store) fn states(folder: &Path) -> std::io::Result<Vec<State>> {
    let mut states = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = fs::symlink_metadata(&path)?;
        if found.is_dir() {
            states.extend(self::states(&path)?);
        }
        states.push((path, found.ino(), found.len(), found.mtime(), found.mtime_nsec()));
    }
    states.sort();
    Ok(states)
}
