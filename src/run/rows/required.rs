//! Rows that the table of a row-wise stage must have, and the digests of everything that they depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, IoContext, Result, list, suggest};
use callsheet_worker::table::{
    RowKey, Rows, as_text, gather, read_batches, row_count, row_digests, row_keys, rows_at_once, schema,
    type_name,
};
use parquet::errors::ParquetError;
use serde_json::Value;

use crate::declare::RowsDecl;

/// Digests of files by input, and by the name that the worker sees.
pub(crate) type Files = BTreeMap<String, BTreeMap<String, Digest>>;

/// Required rows of an input, in the order of their key.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RequiredRows {
    /// Their keys.
    pub keys: Vec<RowKey>,
    /// Digest of everything that each row depends on.
    pub inputs: Vec<Digest>,
    /// Place of each row: the file of the table, and the position in it.
    pub places: Vec<(u32, u64)>,
}

impl RequiredRows {
    /// Reads the keys of a table's rows, and computes digests of everything that the rows depend on according
    /// to `rows`.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read or lacks a column. Also returns an error if a key is null,
    /// duplicate or neither text nor an integer, or if a row names an unknown file.
    pub(super) fn read(table: &[Rows], rows: &RowsDecl, files: &Files) -> Result<Self> {
        let names: Vec<String> = match table.first() {
            Some(first) => schema(first.path)?.fields().iter().map(|f| f.name().clone()).collect(),
            None => return Ok(Self::default()),
        };
        let unknown = rows
            .given(names.iter().map(String::as_str))
            .into_iter()
            .find(|name| !names.iter().any(|known| known == name));
        if let Some(name) = unknown {
            let message =
                format!("input `{}` has no column `{name}`, which [rows] in stage.toml names", rows.input);
            return Err(Error::user_error(
                Code::UnknownName,
                message,
                suggest(name, names.iter().map(String::as_str)),
            ));
        }
        let mut own = rows.given(names.iter().map(String::as_str));
        own.retain(|name| !rows.digests.contains_key(*name));
        let read: BTreeSet<&str> =
            own.iter().copied().chain(rows.filter.keys().map(String::as_str)).collect();
        let read: Vec<&str> = read.into_iter().collect();
        let rows_of = |Rows { path, chosen }: &Rows| match chosen {
            Some(chosen) => Ok(chosen.len() as u64),
            None => row_count(path),
        };
        let count = table.iter().map(rows_of).sum::<Result<u64>>()?;
        let mut found: Vec<(RowKey, Digest, (u32, u64))> = Vec::with_capacity(count as usize);
        for (part, Rows { path, chosen }) in table.iter().enumerate() {
            let mut first = 0;
            let mut each = |batch: RecordBatch| -> Result<()> {
                let mask = mask(&batch, rows).map_err(ParquetError::from).io_context("cannot read", path)?;
                let digests = digests(&batch, &mask, &own).map_err(ParquetError::from);
                let (kept, digests) = digests.io_context("cannot read", path)?;
                let digests = with_files(digests, &kept, rows, files, path)?;
                let keys =
                    self::keys(kept.column_by_name(&rows.key), &rows.key, format!("input `{}`", rows.input))?;
                let places =
                    mask.iter().zip(first..).filter(|(chosen, _)| **chosen).map(|(_, at)| (part as u32, at));
                for ((key, digest), place) in keys.into_iter().zip(digests).zip(places) {
                    let Some(key) = key else {
                        let row = chosen.as_ref().map_or(place.1, |chosen| chosen[place.1 as usize]);
                        let before =
                            table[..part].iter().map(|rows| row_count(rows.path)).sum::<Result<u64>>()?;
                        let number = before + row + 1;
                        let message = format!(
                            "the key `{}` of row {number} of input `{}` is null",
                            rows.key, rows.input
                        );
                        let help = "correct the stage or the raw file that this input comes from: every row needs a key";
                        return Err(Error::user_error(Code::Unsupported, message, help));
                    };
                    found.push((key, digest, place));
                }
                first += batch.num_rows() as u64;
                Ok(())
            };
            let batch = rows_at_once(&[path])?;
            match chosen {
                None => read_batches(path, &read, batch, each)?,
                Some(chosen) => {
                    let one = [Rows { path, chosen: Some(chosen.clone()) }];
                    gather(&one, &read, &vec![0; chosen.len()], batch, &mut each)?;
                }
            }
        }
        Self::sorted(found, || (format!("input `{}`", rows.input), rows.key.clone()))
    }

    /// Sorts rows by their keys.
    ///
    /// # Errors
    /// Returns an error if two rows have one key. `source` returns the names of the table and its key column.
    fn sorted(
        mut found: Vec<(RowKey, Digest, (u32, u64))>,
        source: impl Fn() -> (String, String),
    ) -> Result<Self> {
        if !found.is_sorted_by(|a, b| a.0 <= b.0) {
            found.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let twice: BTreeSet<&RowKey> =
            found.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| &pair[0].0).collect();
        if !twice.is_empty() {
            let (table, key) = source();
            let message = format!("{table} has duplicate values in its key column `{key}`: {}", list(twice));
            let help =
                "correct the stage or the raw file that this input comes from: it must have one row per key";
            return Err(Error::user_error(Code::Unsupported, message, help));
        }
        let mut wanted = Self::default();
        for (key, digest, place) in found {
            wanted.keys.push(key);
            wanted.inputs.push(digest);
            wanted.places.push(place);
        }
        Ok(wanted)
    }
}

/// Combines the digest of each row with the digests of the files that the row names.
fn with_files(
    mut digests: Vec<Digest>,
    batch: &RecordBatch,
    rows: &RowsDecl,
    files: &Files,
    path: &Path,
) -> Result<Vec<Digest>> {
    for (input, column) in &rows.files {
        let known = &files[input];
        let names = file_names(batch.column_by_name(column), column, path)?;
        for (digest, name) in digests.iter_mut().zip(&names) {
            let name = name.unwrap_or_default();
            let Some(file) = known.get(name) else {
                let message = format!(
                    "column `{column}` of input `{}` ({}) names `{name}`, \
                     but input `{input}` contains no such file",
                    rows.input,
                    path.display()
                );
                return Err(Error::user_error(
                    Code::UnknownName,
                    message,
                    suggest(name, known.keys().map(String::as_str)),
                ));
            };
            *digest = blake3::hash(&[*digest.as_bytes(), *file.as_bytes()].concat()).into();
        }
    }
    Ok(digests)
}

/// Returns the rows that `mask` selects, and the digest of each over `columns`. Columns are sorted by name,
/// so that their order in the file does not matter.
fn digests(
    batch: &RecordBatch,
    mask: &[bool],
    columns: &BTreeSet<&str>,
) -> Result<(RecordBatch, Vec<Digest>), ArrowError> {
    let kept = filter_record_batch(batch, &mask.to_vec().into())?;
    let columns = columns.iter().map(|name| kept.schema().index_of(name)).collect::<Result<Vec<_>, _>>()?;
    let digests = row_digests(&kept.project(&columns)?)?;
    Ok((kept, digests))
}

/// Reads a column of keys; `None` for a null.
pub(super) fn keys(
    column: Option<&ArrayRef>,
    name: &str,
    table: impl fmt::Display,
) -> Result<Vec<Option<RowKey>>> {
    let keys = column.ok_or_else(|| "is missing".to_owned()).and_then(row_keys);
    keys.map_err(|what| {
        let message = format!("column `{name}` of {table} {what}");
        Error::user_error(
            Code::Unsupported,
            message,
            "use a column of texts or integers for the keys of rows",
        )
    })
}

/// Reads a column with names of files.
fn file_names(column: Option<&ArrayRef>, name: &str, path: &Path) -> Result<StringArray> {
    let refused = |what: String| {
        let message = format!("column `{name}` of {} {what}", path.display());
        Error::user_error(Code::Unsupported, message, "use a column of type string for the names of files")
    };
    let column = column.ok_or_else(|| refused("is missing".to_owned()))?;
    let kind = type_name(column.data_type());
    if kind != "string" {
        return Err(refused(format!("is {kind}, not string")));
    }
    let texts = cast(column, &DataType::Utf8).map_err(ParquetError::from).io_context("cannot read", path)?;
    Ok(texts.as_string::<i32>().clone())
}

/// Marks the rows that have the required values.
fn mask(batch: &RecordBatch, rows: &RowsDecl) -> Result<Vec<bool>, ArrowError> {
    let mut mask = vec![true; batch.num_rows()];
    for (name, value) in &rows.filter {
        let column = as_text(&batch[name.as_str()])?;
        let wanted = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        for (keep, text) in mask.iter_mut().zip(column.as_string::<i32>()) {
            *keep &= text == Some(wanted.as_str());
        }
    }
    Ok(mask)
}
