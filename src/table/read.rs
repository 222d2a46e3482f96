//! Reading artifacts.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::{Doing, Error, Result};

pub(super) fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).doing("cannot open", path)?;
    ParquetRecordBatchReaderBuilder::try_new(file).doing("cannot read", path)
}

/// Number of rows of a table, from its footer.
///
/// # Errors
/// When it cannot be read.
pub fn row_count(path: &Path) -> Result<u64> {
    Ok(open(path)?.metadata().file_metadata().num_rows().max(0) as u64)
}

/// The key-value metadata of a table's footer, without the Arrow schema.
///
/// # Errors
/// When it cannot be read.
pub fn footer(path: &Path) -> Result<BTreeMap<String, String>> {
    let reader = open(path)?;
    let pairs = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let pairs = pairs.into_iter().filter(|kv| kv.key != "ARROW:schema");
    Ok(pairs.map(|kv| (kv.key, kv.value.unwrap_or_default())).collect())
}

/// Calls `each` with the batches of a table in row order, at most `rows` rows at a time; only
/// the columns named, or all if none are.
///
/// # Errors
/// When the table cannot be read, lacks a column, or `each` fails.
pub fn read_batches<E: From<Error>>(
    path: &Path,
    columns: &[&str],
    rows: usize,
    mut each: impl FnMut(RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let mut builder = open(path)?.with_batch_size(rows);
    if !columns.is_empty() {
        let names: Vec<String> = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
        let mut roots = Vec::new();
        for column in columns {
            let Some(root) = names.iter().position(|name| name == column) else {
                let help = crate::error::suggest(column, names.iter().map(String::as_str));
                let message = format!("{} has no column `{column}`", path.display());
                return Err(Error::refused(message, help).into());
            };
            roots.push(root);
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        builder = builder.with_projection(mask);
    }
    for batch in builder.build().doing("cannot read", path)? {
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
        None => open(path)?.schema().clone(),
    };
    let whole = arrow::compute::concat_batches(&schema, &batches);
    whole.map_err(parquet::errors::ParquetError::from).doing("cannot read", path)
}
