//! Verdicts as a column of a table.

use super::list::Verdicts;
use crate::tables::{Cell, Values};
use callsheet_worker::curation::Verdict;

/// Name of the column.
pub(crate) const VERDICT: &str = "verdict";

/// Text of a row without a verdict.
const NONE: &str = "none";

/// Texts of the column, in their order.
const NAMES: [&str; 3] = ["exclude", "include", NONE];

impl Verdicts {
    /// Returns the verdicts on rows with these keys, in the order of the rows.
    pub(crate) fn values(&self, keys: &Values) -> Values {
        let codes = keys.texts().iter().map(|key| self.code(key)).collect();
        Values::Categories { codes, names: NAMES.map(str::to_owned).into() }
    }

    /// Returns the verdict on the row with this key as it is shown.
    pub(crate) fn cell(&self, key: Option<&str>) -> Cell {
        Cell::Text(NAMES[usize::from(self.code(key))].to_owned())
    }

    fn code(&self, key: Option<&str>) -> u16 {
        match key.and_then(|key| self.get(key)).map(|line| line.verdict) {
            Some(Verdict::Exclude) => 0,
            Some(Verdict::Include) => 1,
            None => 2,
        }
    }
}
