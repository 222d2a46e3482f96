//! Verdicts of one file.

use std::collections::HashMap;
use std::sync::Arc;

use callsheet_worker::curation::Line;
use callsheet_worker::digest::Digest;

use super::place::Place;

/// Verdicts that stages of the selected pipeline read.
pub(crate) struct Verdicts {
    pub(super) place: Arc<Place>,
    /// Digest of the file.
    pub digest: Digest,
    /// Verdicts in the order of the file.
    pub(super) lines: Vec<Line>,
    /// Position in `lines` by key.
    at: HashMap<String, usize>,
    /// The reason why the file cannot be read.
    pub problem: Option<String>,
}

impl Verdicts {
    pub(super) fn new(place: Arc<Place>, digest: Digest, lines: Vec<Line>) -> Self {
        let at = lines.iter().enumerate().map(|(at, line)| (line.key.clone(), at)).collect();
        Self { place, digest, lines, at, problem: None }
    }

    /// Column whose values identify the rows.
    pub(crate) fn key(&self) -> &str {
        &self.place.key
    }

    /// Type of this column, if a table to which the verdicts refer was computed.
    pub(crate) fn key_kind(&self) -> Option<&str> {
        self.place.key_kind.as_deref()
    }

    /// Stage instance and output of each table to whose rows verdicts refer.
    pub(crate) fn tables(&self) -> &[(String, String)] {
        &self.place.tables
    }

    /// Returns the verdict on the row `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Line> {
        Some(&self.lines[*self.at.get(key)?])
    }
}
