//! Reads tables: a Parquet file, or a folder of Parquet files that is read as one table.

use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::file::TableFile;
use super::gather::{Rows, gather};
use super::parts::{key_order, part_files};
use crate::error::{Error, IoContext, Result};

/// Returns the schema of a table. That of a folder is the schema of its first file.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn schema(path: &Path) -> Result<SchemaRef> {
    Ok(TableFile::open(&part_files(path)?[0])?.schema())
}

/// Returns the number of rows of a table, from the footers of its files.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub fn row_count(path: &Path) -> Result<u64> {
    let add = |sum: u64, path: &PathBuf| Ok(sum.saturating_add(TableFile::open(path)?.row_count()));
    part_files(path)?.iter().try_fold(0, add)
}

/// Returns a number of rows for batches of about 16 MB before encoding, computed from the file with the
/// largest rows. It is between 1 and 16,384.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub fn rows_at_once<P: AsRef<Path>>(files: &[P]) -> Result<usize> {
    let mut fewest = MOST_ROWS;
    for path in files {
        let file = TableFile::open(path.as_ref())?;
        let groups = file.metadata().row_groups();
        let bytes: i128 = groups.iter().map(|group| i128::from(group.total_byte_size())).sum();
        let rows = i128::from(file.row_count());
        fewest = fewest.min(BATCH_BYTES * rows.max(1) / bytes.max(1));
    }
    Ok(fewest.max(1) as usize)
}

const BATCH_BYTES: i128 = 16 << 20;
const MOST_ROWS: i128 = 1 << 14;

/// Calls `each` with batches of a table, of at most `rows` rows. Rows of a file are in the order of the file,
/// rows of a folder in the order of their key. Without names in `columns`, all columns are read.
///
/// # Errors
/// Returns an error if the table cannot be read, lacks a column, or `each` fails.
pub fn read_batches<E: From<Error>>(
    path: &Path,
    columns: &[&str],
    rows: usize,
    mut each: impl FnMut(RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let parts = part_files(path)?;
    if parts.len() > 1 {
        let files: Vec<Rows> = parts.iter().map(|path| Rows { path, chosen: None }).collect();
        return gather(&files, columns, &key_order(&parts)?, rows, each);
    }
    for batch in TableFile::open(&parts[0])?.project(columns)?.batches(rows)? {
        each(batch?)?;
    }
    Ok(())
}

/// Reads the named columns, or all without names, as one batch. For tables that fit in memory.
///
/// # Errors
/// Returns an error if the table cannot be read or lacks a column.
pub fn read_columns(path: &Path, columns: &[&str]) -> Result<RecordBatch> {
    let mut batches = Vec::new();
    read_batches(path, columns, 8192, |batch| -> Result<()> {
        batches.push(batch);
        Ok(())
    })?;
    let schema = match batches.first() {
        Some(batch) => batch.schema(),
        None => schema(path)?,
    };
    let whole = arrow::compute::concat_batches(&schema, &batches);
    whole.map_err(parquet::errors::ParquetError::from).io_context("cannot read", path)
}
