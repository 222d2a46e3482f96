//! Attempts at long work: each run has its own folder of checkpoints, which begins as a copy of the newest other one. A run
//! that was taken for dead may wake up and write on, without harm to the run that took over.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};

use super::sharing::Sharing;
use crate::store::files::{copy_tree, create_below, entries, remove};
use crate::store::half::draft_folder;
use crate::store::stored_tree::StoredTree;

/// Number of copies that are made of a folder that changes meanwhile.
const COPIES: usize = 5;

impl Sharing {
    /// Creates the folder of this process below `all`, the folder of all attempts at one work, with a copy of the newest
    /// attempt of another run. Its path is complete as soon as it exists. A second call returns the same folder.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub(in crate::store) fn attempt(&self, all: &Path, staging: &Path) -> Result<PathBuf> {
        create_below(&self.root, all)?;
        let run = &self.holder().run;
        let mut attempts: Vec<(u64, PathBuf)> =
            entries(all)?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
        attempts.sort();
        if let Some((_, own)) =
            attempts.iter().find(|(_, path)| path.extension().is_some_and(|of| of == &**run))
        {
            return Ok(own.clone());
        }
        let (last, from) = attempts.pop().unzip();
        let draft = draft_folder(staging)?.keep();
        if let Some(from) = from {
            copy_settled(&from, &draft)?;
        }
        let own = all.join(format!("{}.{run}", last.map_or(0, |last| last + 1)));
        fs::rename(&draft, &own).io_context("cannot create", &own)?;
        Ok(own)
    }
}

/// Number of an attempt, `2` of `2.<run>`.
pub(super) fn number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.split_once('.')?.0.parse().ok()
}

/// Copies a folder. If its files change meanwhile, because its run was wrongly taken for dead, copies it again.
fn copy_settled(from: &Path, to: &Path) -> Result<()> {
    for attempt in 1.. {
        let before = StoredTree::read(from, true);
        let copied = fs::create_dir_all(to).and_then(|()| copy_tree(from, to));
        let settled = copied.is_ok()
            && before.is_ok_and(|before| {
                StoredTree::read(from, true).is_ok_and(|after| before.is_unchanged(&after))
            });
        if settled || attempt == COPIES {
            return copied.io_context("cannot copy", from);
        }
        remove(to)?;
    }
    Ok(())
}
