//! Opens one Parquet file.

use std::fs::File;
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::code::Code;
use crate::error::{Doing, Error, Result, suggest};

pub(super) type Builder = ParquetRecordBatchReaderBuilder<File>;

/// Opens one file.
pub(super) fn open(path: &Path) -> Result<Builder> {
    let file = File::open(path).doing("cannot open", path)?;
    ParquetRecordBatchReaderBuilder::try_new(file).doing("cannot read", path)
}

/// Makes a reader read these columns alone; all if none are named.
pub(super) fn project(builder: Builder, columns: &[&str], path: &Path) -> Result<Builder> {
    if columns.is_empty() {
        return Ok(builder);
    }
    let names: Vec<String> = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut roots = Vec::new();
    for column in columns {
        let Some(root) = names.iter().position(|name| name == column) else {
            let help = suggest(column, names.iter().map(String::as_str));
            return Err(Error::refused(
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
