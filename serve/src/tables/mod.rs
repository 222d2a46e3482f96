//! Tables that pages show. They stay open, so that pages scroll, filter and sort without reading them again.

mod join;
mod recent;
mod table;
mod values;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;

pub(crate) use join::{NO_ROW, common_key, matching_rows, taken};
pub(crate) use table::{Column, Shown, Table, columns};
pub(crate) use values::{Cell, MISSING, Values, floats};

/// Number of tables that stay open, and of bytes of their values that stay in memory.
const OPEN: usize = 8;
const BYTES: usize = 192 << 20;

/// Tables that were used last; the latest one is the last.
#[derive(Default)]
pub(crate) struct OpenTables(Mutex<Vec<Arc<Table>>>);

impl OpenTables {
    /// Returns the table at this path, with this digest.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read.
    pub(crate) fn get(&self, path: &Path, digest: Digest) -> Result<Arc<Table>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = lock();
        if let Some(at) = open.iter().position(|table| table.digest == digest) {
            let table = open.remove(at);
            open.push(table.clone());
            return Ok(table);
        }
        // Other tables do not wait for a large one that is opened.
        drop(open);
        let table = Arc::new(Table::open(path, digest)?);
        let mut open = lock();
        open.push(table.clone());
        while open.len() > 1
            && (open.len() > OPEN || open.iter().map(|table| table.bytes()).sum::<usize>() > BYTES)
        {
            open.remove(0);
        }
        Ok(table)
    }
}
