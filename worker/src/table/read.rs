//! Reading artifacts: a Parquet file, or a folder of them that is read as one.

use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::file::{open, project};
use super::gather::{Rows, gather};
use super::parts::{key_order, part_files};
use crate::error::{Doing, Error, Result};

/// The columns of a table; of a folder, those of its first file.
///
/// # Errors
/// When it cannot be read.
pub fn schema(path: &Path) -> Result<SchemaRef> {
    Ok(open(&part_files(path)?[0])?.schema().clone())
}

/// Number of rows of a table, from its footers.
///
/// # Errors
/// When it cannot be read.
pub fn row_count(path: &Path) -> Result<u64> {
    let rows = |path: &PathBuf| Ok(open(path)?.metadata().file_metadata().num_rows().max(0) as u64);
    part_files(path)?.iter().map(rows).sum()
}

/// Rows of a table's files that are read at once: some 16 MB before encoding, of the file whose rows are
/// the largest.
///
/// # Errors
/// When one cannot be read.
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

/// Calls `each` with the batches of a table, at most `rows` rows at a time: in the order of a file,
/// and of a folder in the order of its key. Only the columns named, or all if none are.
///
/// # Errors
/// When the table cannot be read, lacks a column, or `each` fails.
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
    for batch in reader.doing("cannot read", path)? {
        let batch = batch.map_err(parquet::errors::ParquetError::from);
        each(batch.doing("cannot read", path)?)?;
    }
    Ok(())
}

/// The columns named, or all, as one batch: for tables of narrow rows.
///
/// # Errors
/// When the table cannot be read or lacks a column.
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
    whole.map_err(parquet::errors::ParquetError::from).doing("cannot read", path)
}
