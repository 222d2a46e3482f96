//! Raw files, and the errors about them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};

/// A raw file.
#[derive(Clone, Debug)]
pub struct RawFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Name in errors and in the table of images: its path below the folder of its source.
    pub name: String,
}

/// Error of a file.
pub(super) fn malformed(file: &RawFile, problem: &str, help: impl Into<String>) -> Error {
    Error::user_error(Code::Unsupported, format!("{}: {problem}", file.name), help)
}

/// Checks that the files have every column whose type is declared.
pub(super) fn check_declared<'a>(
    file: &RawFile,
    columns: &BTreeMap<String, String>,
    found: impl Iterator<Item = &'a str> + Clone,
) -> Result<()> {
    match columns.keys().find(|name| !found.clone().any(|known| known == name.as_str())) {
        Some(name) => {
            let problem = format!("the file has no column `{name}`, although its type is declared");
            Err(malformed(file, &problem, suggest(name, found)))
        }
        None => Ok(()),
    }
}
