//! Place of the verdicts.

use std::path::PathBuf;

/// File of verdicts, and the tables to whose rows they refer.
#[derive(PartialEq)]
pub(crate) struct Place {
    /// Path of the file, relative to the project.
    pub file: String,
    /// Absolute path.
    pub path: PathBuf,
    /// Column whose values identify the rows.
    pub key: String,
    /// Type of this column, if a table was computed.
    pub key_kind: Option<String>,
    /// Stage instance and output of each table.
    pub tables: Vec<(String, String)>,
}
