//! Reads tables: a Parquet file, or a folder of Parquet files that is read as one table.

use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::file::{open, project};
use super::gather::{Rows, gather};
use super::parts::{key_order, part_files};
use crate::error::{Error, IoContext, Result};

/// Returns the schema of a table. That of a folder is the schema of its first file.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn schema(path: &Path) -> Result<SchemaRef> {
    Ok(open(&part_files(path)?[0])?.schema().clone())
}

/// Returns the number of rows of a table, from the footers of its files.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub fn row_count(path: &Path) -> Result<u64> {
    let rows = |path: &PathBuf| Ok(open(path)?.metadata().file_metadata().num_rows().max(0) as u64);
    part_files(path)?.iter().map(rows).sum()
}

/// Returns a number of rows for batches of about 16 MB before encoding, computed from the file with the
/// largest rows. It is between 1 and 16,384.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub fn rows_at_once<P: AsRef<Path>>(files: &[P]) -> Result<usize> {
    let mut fewest = MOST_ROWS;
    for path in files {
        let reader = open(path.as_ref())?;
        let groups = reader.metadata().row_groups();
        let bytes: i64 = groups.iter().map(|group| group.total_byte_size()).sum();
        let rows: i64 = groups.iter().map(|group| group.num_rows()).sum();
        fewest = fewest.min(BATCH_BYTES * rows.max(1) / bytes.max(1));
    }
    Ok(fewest.max(1) as usize)
}

const BATCH_BYTES: i64 = 16 << 20;
const MOST_ROWS: i64 = 1 << 14;

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
    let path = &parts[0];
    let reader = project(open(path)?, columns, path)?.with_batch_size(rows).build();
    for batch in reader.io_context("cannot read", path)? {
        let batch = batch.map_err(parquet::errors::ParquetError::from);
        each(batch.io_context("cannot read", path)?)?;
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
