//! Rows for a worker that a person starts by hand.

use std::path::Path;

use callsheet_worker::error::Result;
use callsheet_worker::protocol::WorkRequest;
use callsheet_worker::table::part_files;

use super::assemble::lay_out;
use super::missing::{MISSING, write_missing};
use super::part::all_rows;
use super::required::RequiredRows;
use crate::declare::RowsDecl;
use crate::run::action::Action;
use crate::store::Store;

/// Counts of rows of a worker that a person starts.
#[derive(Clone, Copy, Debug)]
pub struct PreparedRows {
    /// Rows in its input.
    pub given: usize,
    /// Rows that the store lacks.
    pub missing: usize,
    /// Rows of the whole table.
    pub total: usize,
}

impl Action<'_> {
    /// Writes the rows that the store lacks to `folder`, or all rows if it lacks none; at most `limit`. They become
    /// the input of the request.
    pub(in crate::run) fn rows_to_debug(
        &self,
        store: &Store,
        rows: &RowsDecl,
        request: &mut WorkRequest,
        limit: usize,
        folder: &Path,
    ) -> Result<PreparedRows> {
        let table = &self.inputs[&rows.input].paths[0];
        let parts = part_files(table)?;
        let wanted = RequiredRows::read(&all_rows(&parts), rows, &self.files)?;
        let pool = self.key.pool().expect("the key of a row-wise stage has its rows");
        let missing = lay_out(&wanted, &store.segments(&pool)?).missing();
        let (lacks, of) = (missing.len(), wanted.keys.len());
        let mut given = if missing.is_empty() { (0..of).collect() } else { missing };
        given.truncate(limit);
        write_missing(table, rows, &wanted, &given, &self.watch.digest(), folder)?;
        if let Some(input) = request.inputs.get_mut(&rows.input) {
            input.paths = vec![folder.join(MISSING)];
        }
        Ok(PreparedRows { given: given.len(), missing: lacks, total: of })
    }
}
