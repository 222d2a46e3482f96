//! Tables of several files: a folder of Parquet files. Each is sorted by the key that its footer names. The
//! rows are read as those of one table, in the order of the key.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::file::TableFile;
use super::footer::{FOOTER_PREFIX, KEY, footer};
use super::keys::{RowKey, row_keys};
use crate::code::Code;
use crate::error::{Error, IoContext, Result};

/// Files of a table: the file itself, or the Parquet files in a folder in the order of their names.
///
/// # Errors
/// Returns an error if the folder cannot be listed or contains no Parquet file.
pub fn part_files(table: &Path) -> Result<Vec<PathBuf>> {
    if !table.is_dir() {
        return Ok(vec![table.to_owned()]);
    }
    let mut parts = Vec::new();
    for entry in fs::read_dir(table).io_context("cannot list", table)? {
        let path = entry.io_context("cannot list", table)?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            parts.push(path);
        }
    }
    parts.sort();
    if parts.is_empty() {
        let message = format!("{} contains no Parquet file", table.display());
        return Err(Error::user_error(
            Code::Unreadable,
            message,
            "name a Parquet file, or a folder of Parquet files",
        ));
    }
    Ok(parts)
}

/// Order of the rows of several files by key: for each row, the index of its file.
pub(super) fn key_order(parts: &[PathBuf]) -> Result<Vec<u32>> {
    let keys = parts.par_iter().map(|part| keys(part)).collect::<Result<Vec<_>>>()?;
    let ends: Option<Vec<_>> = keys.iter().map(|keys| keys.first().zip(keys.last())).collect();
    let apart = ends.is_some_and(|ends| ends.windows(2).all(|pair| pair[0].1 < pair[1].0));
    let mut rows: Vec<(&RowKey, u32)> = Vec::with_capacity(keys.iter().map(Vec::len).sum());
    for (part, keys) in keys.iter().enumerate() {
        rows.extend(keys.iter().map(|key| (key, part as u32)));
    }
    if !apart {
        rows.par_sort();
    }
    Ok(rows.into_iter().map(|(_, part)| part).collect())
}

fn keys(part: &Path) -> Result<Vec<RowKey>> {
    let name = footer(part)?.remove(&format!("{FOOTER_PREFIX}{KEY}")).ok_or_else(|| {
        let message = format!("{} does not name the column by which its rows are sorted", part.display());
        Error::user_error(Code::Unsupported, message, "read a folder that callsheet wrote, or a single file")
    })?;
    let mut keys = Vec::new();
    for batch in TableFile::open(part)?.project(&[&name])?.batches(1 << 16)? {
        let batch = batch?;
        let column = row_keys(batch.column(0)).map_err(|what| {
            let message = format!("the key column `{name}` of {} {what}", part.display());
            Error::user_error(
                Code::Unsupported,
                message,
                "read a folder that callsheet wrote, or a single file",
            )
        })?;
        keys.extend(column.into_iter().flatten());
    }
    Ok(keys)
}
