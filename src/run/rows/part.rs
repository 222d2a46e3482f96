//! Segments of a table.

use std::path::PathBuf;

use callsheet_worker::table::Rows;

/// Returns all rows of a table's files.
pub(super) fn all_rows(parts: &[PathBuf]) -> Vec<Rows<'_>> {
    parts.iter().map(|path| Rows { path, chosen: None }).collect()
}

/// Name of the footer's pair with the digest of the checks that returned rows have passed.
pub(super) const CHECKS: &str = "checks";

/// Bytes of rows in a segment, before encoding. If one row changes, up to this many bytes are written again.
pub(super) const PART_BYTES: usize = 128 << 20;
