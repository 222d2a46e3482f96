//! Damaged files of tables. The query engine fails or panics without naming the file, so after a failure
//! every file that was opened is read on its own.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use callsheet_panics::caught;
use miette::{Report, Result, miette};

use crate::code;
use crate::frame::{collect, row_number, scan};

/// Size of the rows that are read at once, in bytes of the file.
const PART_BYTES: u64 = 16 << 20;

/// File that was opened.
#[derive(Clone)]
struct Opened {
    path: PathBuf,
    rows: u64,
    bytes: u64,
}

static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

/// Remembers a file whose footer was read.
pub(crate) fn opened(path: &Path, rows: u64, bytes: u64) {
    let file = Opened { path: path.to_owned(), rows, bytes };
    OPENED.lock().unwrap_or_else(PoisonError::into_inner).push(file);
}

/// Returns the error for the damaged file that can be the cause of an error, or the error itself.
pub(crate) fn explained(error: Report) -> Report {
    let code = error.code().map(|code| code.to_string());
    let possible = [code::UNREADABLE, code::IO, code::UNSUPPORTED];
    if possible.iter().any(|kind| code.as_deref() == Some(kind)) { find().unwrap_or(error) } else { error }
}

/// Error for the first opened file that cannot be read; `None` if all can be read.
fn find() -> Option<Report> {
    let files = OPENED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    files.into_iter().find_map(|file| {
        let reason = caught(|| file.read().map_err(|error| error.to_string()));
        reason.and_then(|read| read).err().map(|reason| unreadable(&file.path, &reason))
    })
}

/// Error for a file that is not a readable Parquet file.
pub(crate) fn unreadable(path: &Path, reason: &str) -> Report {
    let help = "replace the file with a complete Parquet file, or re-run the stage that wrote it";
    miette!(code = code::PARQUET, help = help, "cannot read {}: {reason}", path.display())
}

impl Opened {
    /// Reads all rows, in parts that fit in memory.
    fn read(&self) -> Result<()> {
        let step = (PART_BYTES.saturating_mul(self.rows) / self.bytes.max(1)).max(1);
        let mut at = 0;
        while at < self.rows {
            let rows = scan(std::iter::once(self.path.as_path()))?;
            collect(rows.slice(at as i64, row_number(step as usize)))?;
            at = at.saturating_add(step);
        }
        Ok(())
    }
}
