//! How many rows a stage would compute, also where the table that it reads is not there yet: as far as
//! the store has its rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use callsheet_worker::table::{Rows, part_files};
use serde::Serialize;

use super::assemble::lay_out;
use super::wanted::{Files, Wanted};
use crate::declare::RowsDecl;
use crate::store::Store;

/// Prediction for a row-wise stage.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Compute {
    /// Rows that the store lacks.
    pub rows: u64,
    /// At most so many more: of rows that a stage before this one has to compute first.
    #[serde(skip_serializing_if = "is_zero")]
    pub open: u64,
    /// Rows of its table, at most.
    pub of: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A table that is there, or that a stage would make.
#[derive(Debug)]
pub(crate) struct Foreseen {
    /// Its files, or files that have rows of it: which ones, increasing; all if none are named.
    files: Vec<(PathBuf, Option<Vec<u64>>)>,
    /// Rows that are still to be computed.
    open: u64,
}

impl Foreseen {
    /// A table that is there.
    ///
    /// # Errors
    /// When its folder cannot be listed.
    pub(crate) fn there(table: &Path) -> Result<Self> {
        let files = part_files(table)?.into_iter().map(|path| (path, None)).collect();
        Ok(Self { files, open: 0 })
    }

    /// Predicts how many rows a row-wise stage that reads this table computes, and the table that it makes.
    ///
    /// # Errors
    /// When the table cannot be read, or its rows cannot be told apart.
    pub(crate) fn count(
        &self,
        store: &Store,
        pool: &Digest,
        rows: &RowsDecl,
        files: &Files,
    ) -> Result<(Compute, Self)> {
        let table = self.files.iter().map(|(path, chosen)| Rows { path, chosen: chosen.clone() });
        let wanted = Wanted::read(&table.collect::<Vec<_>>(), rows, files)?;
        let segments = store.segments(pool)?;
        let layout = lay_out(&wanted, &segments);
        let missing = layout.missing().len() as u64;
        let mut found: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (segment, at) in layout.places.iter().flatten() {
            found.entry(*segment).or_default().push(*at as u64);
        }
        let file = |(segment, mut rows): (usize, Vec<u64>)| {
            rows.sort_unstable();
            (store.materialize(&segments[segment].object()).into(), Some(rows))
        };
        let made = Self { files: found.into_iter().map(file).collect(), open: missing + self.open };
        let of = wanted.keys.len() as u64 + self.open;
        Ok((Compute { rows: missing, open: self.open, of }, made))
    }
}
