//! Prediction of the number of rows that a stage would compute. If the table that it reads is not computed
//! yet, the rows of that table in the store are used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use callsheet_worker::table::{Rows, part_files};
use serde::Serialize;

use super::assemble::lay_out;
use super::required::{Files, RequiredRows};
use crate::declare::RowsDecl;
use crate::store::Store;

/// Predicted numbers of rows of a row-wise stage.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Compute {
    /// Rows that the store lacks.
    pub rows: u64,
    /// Upper bound of further rows to compute, for input rows that an upstream stage must compute first.
    #[serde(skip_serializing_if = "is_zero")]
    pub open: u64,
    /// Upper bound of the rows of its table.
    pub of: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A table that is in the store, or that a stage would write.
#[derive(Debug)]
pub(crate) struct PredictedTable {
    /// Files with rows of the table, and the increasing positions of these rows; `None` means all rows.
    files: Vec<(PathBuf, Option<Vec<u64>>)>,
    /// Number of rows that are not computed yet.
    open: u64,
}

impl PredictedTable {
    /// Returns a table that is in the store.
    ///
    /// # Errors
    /// Returns an error if its folder cannot be listed.
    pub(crate) fn there(table: &Path) -> Result<Self> {
        let files = part_files(table)?.into_iter().map(|path| (path, None)).collect();
        Ok(Self { files, open: 0 })
    }

    /// Predicts the number of rows that a row-wise stage with this input computes, and the table it writes.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or its rows are not identified by unique keys.
    pub(crate) fn count(
        &self,
        store: &Store,
        pool: &Digest,
        rows: &RowsDecl,
        files: &Files,
    ) -> Result<(Compute, Self)> {
        let table = self.files.iter().map(|(path, chosen)| Rows { path, chosen: chosen.clone() });
        let wanted = RequiredRows::read(&table.collect::<Vec<_>>(), rows, files)?;
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
