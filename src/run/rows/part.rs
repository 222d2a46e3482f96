//! Segments of a table.

use std::path::PathBuf;

use callsheet_worker::table::Rows;

/// Every row of a table's files.
pub(super) fn all_rows(parts: &[PathBuf]) -> Vec<Rows<'_>> {
    parts.iter().map(|path| Rows { path, chosen: None }).collect()
}

/// Name of the footer's pair that says under which checks rows were returned.
pub(super) const CHECKS: &str = "checks";

/// Bytes of rows in a segment, before encoding: so many are written again if one of them changes.
pub(super) const PART_BYTES: usize = 128 << 20;
