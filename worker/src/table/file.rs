//! Access to one Parquet file.

use std::fs::File;
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::code::Code;
use crate::error::{Error, IoContext, Result, suggest};

pub(super) type Builder = ParquetRecordBatchReaderBuilder<File>;

/// Opens a file for reading.
pub(super) fn open(path: &Path) -> Result<Builder> {
    let file = File::open(path).io_context("cannot open", path)?;
    ParquetRecordBatchReaderBuilder::try_new(file).io_context("cannot read", path)
}

/// Restricts a reader to these columns. Without names, it reads all columns.
pub(super) fn project(builder: Builder, columns: &[&str], path: &Path) -> Result<Builder> {
    if columns.is_empty() {
        return Ok(builder);
    }
    let names: Vec<String> = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut roots = Vec::new();
    for column in columns {
        let Some(root) = names.iter().position(|name| name == column) else {
            let help = suggest(column, names.iter().map(String::as_str));
            return Err(Error::user_error(
                Code::UnknownName,
                format!("{} has no column `{column}`", path.display()),
                help,
            ));
        };
        roots.push(root);
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    Ok(builder.with_projection(mask))
}
