//! Rows that were computed elsewhere.

use std::collections::BTreeSet;

use callsheet_worker::digest::Digest;

/// Rows of an action that jobs on a cluster have computed, so that only the table must be assembled.
#[derive(Debug, Default)]
pub(in crate::run) struct ComputedRows {
    /// Their number.
    pub rows: u64,
    /// Seconds since the action began.
    pub seconds: f64,
    /// Seconds of work for each row, if it was measured.
    pub row_seconds: Option<f64>,
    /// Largest resident set size of a worker in bytes.
    pub peak_memory: u64,
    /// Segments whose rows were computed again.
    pub outdated: BTreeSet<Digest>,
}
