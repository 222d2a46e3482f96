//! Tables of several files: a folder of Parquet files, each sorted by the key that its footer names.
//! Their rows are read as one table, in the order of the key.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use rayon::prelude::*;

use super::read::{footer, open, project, read_batches};
use super::write::FOOTER_PREFIX;
use crate::code::Code;
use crate::error::{Doing, Error, Result};

/// Name of the footer's pair that says which column the rows are sorted by.
pub const KEY: &str = "key";

/// The files of a table: itself, or those of a folder in the order of their names.
///
/// # Errors
/// When a folder cannot be listed or has none.
pub fn part_files(table: &Path) -> Result<Vec<PathBuf>> {
    if !table.is_dir() {
        return Ok(vec![table.to_owned()]);
    }
    let mut parts = Vec::new();
    for entry in fs::read_dir(table).doing("cannot list", table)? {
        let path = entry.doing("cannot list", table)?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            parts.push(path);
        }
    }
    parts.sort();
    if parts.is_empty() {
        let message = format!("{} holds no Parquet file", table.display());
        return Err(Error::refused(
            Code::Unreadable,
            message,
            "a table is a Parquet file, or a folder of them",
        ));
    }
    Ok(parts)
}

/// Rows of one file that are wanted.
pub struct Rows<'a> {
    /// The file.
    pub path: &'a Path,
    /// Their positions, increasing; all if none.
    pub chosen: Option<Vec<u64>>,
}

/// Hands out rows of several files in a given order, those of each file in theirs.
pub fn gather<E: From<Error>>(
    files: &[Rows],
    columns: &[&str],
    order: &[u32],
    batch: usize,
    mut each: impl FnMut(RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let mut open: Vec<Option<Cursor>> = files.iter().map(|_| None).collect();
    let mut pending: Vec<RecordBatch> = Vec::new();
    let (mut held, mut at) = (0, 0);
    while at < order.len() {
        let from = order[at] as usize;
        let run = order[at..].iter().take(batch - held).take_while(|next| **next as usize == from).count();
        let cursor = match &mut open[from] {
            Some(cursor) => cursor,
            none => none.insert(Cursor::open(&files[from], columns, batch)?),
        };
        let rows = cursor.take(run)?;
        at += rows.num_rows();
        held += rows.num_rows();
        pending.push(rows);
        if held == batch || at == order.len() {
            each(joined(&pending, files[from].path)?)?;
            pending.clear();
            held = 0;
        }
    }
    Ok(())
}

fn joined(batches: &[RecordBatch], path: &Path) -> Result<RecordBatch> {
    let [batch] = batches else {
        // Parts may differ in what may be null, and in nothing else.
        let schemas = batches.iter().map(|batch| batch.schema().as_ref().clone());
        let schema = arrow::datatypes::Schema::try_merge(schemas).map(SchemaRef::from);
        let schema = schema.map_err(parquet::errors::ParquetError::from).doing("cannot join", path)?;
        let joined = arrow::compute::concat_batches(&schema, batches);
        return joined.map_err(parquet::errors::ParquetError::from).doing("cannot join", path);
    };
    Ok(batch.clone())
}

/// A file that is being read.
struct Cursor {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
}

impl Cursor {
    fn open(rows: &Rows, columns: &[&str], batch: usize) -> Result<Self> {
        let mut builder = project(open(rows.path)?, columns, rows.path)?.with_batch_size(batch);
        if let Some(chosen) = &rows.chosen {
            builder = builder.with_row_selection(selection(chosen));
        }
        let reader = builder.build().doing("cannot read", rows.path)?;
        Ok(Self { path: rows.path.to_owned(), reader, batch: None })
    }

    /// The next rows, at most `most` of them and at least one.
    fn take(&mut self, most: usize) -> Result<RecordBatch> {
        let batch = match self.batch.take() {
            Some(batch) => batch,
            None => match self.reader.next() {
                Some(batch) => {
                    batch.map_err(parquet::errors::ParquetError::from).doing("cannot read", &self.path)?
                }
                None => {
                    let message = format!("{} has fewer rows than it had", self.path.display());
                    return Err(Error::refused(
                        Code::Unreadable,
                        message,
                        "`callsheet verify` lists what is damaged",
                    ));
                }
            },
        };
        let count = most.min(batch.num_rows());
        if count < batch.num_rows() {
            self.batch = Some(batch.slice(count, batch.num_rows() - count));
        }
        Ok(batch.slice(0, count))
    }
}

fn selection(chosen: &[u64]) -> RowSelection {
    let (mut selectors, mut next) = (Vec::new(), 0);
    for run in chosen.chunk_by(|a, b| a + 1 == *b) {
        selectors.push(RowSelector::skip((run[0] - next) as usize));
        selectors.push(RowSelector::select(run.len()));
        next = run[0] + run.len() as u64;
    }
    selectors.into()
}

/// The order of the rows of several files by their key: for each row the file it is in.
pub(super) fn key_order(parts: &[PathBuf]) -> Result<Vec<u32>> {
    let keys = parts.par_iter().map(|part| keys(part)).collect::<Result<Vec<_>>>()?;
    let ends: Option<Vec<_>> = keys.iter().map(|keys| keys.first().zip(keys.last())).collect();
    let apart = ends.is_some_and(|ends| ends.windows(2).all(|pair| pair[0].1 < pair[1].0));
    let mut rows: Vec<(&str, u32)> = Vec::with_capacity(keys.iter().map(Vec::len).sum());
    for (part, keys) in keys.iter().enumerate() {
        rows.extend(keys.iter().map(|key| (key.as_str(), part as u32)));
    }
    if !apart {
        rows.par_sort();
    }
    Ok(rows.into_iter().map(|(_, part)| part).collect())
}

fn keys(part: &Path) -> Result<Vec<String>> {
    let name = footer(part)?.remove(&format!("{FOOTER_PREFIX}{KEY}")).ok_or_else(|| {
        let message = format!("{} does not say which column its rows are sorted by", part.display());
        Error::refused(Code::Unsupported, message, "only a folder that callsheet wrote is one table")
    })?;
    let mut keys = Vec::new();
    read_batches(part, &[&name], 1 << 16, |batch| -> Result<()> {
        let column = batch.column(0).as_string_opt::<i32>();
        let Some(column) = column else {
            let message = format!("the key `{name}` of {} is no text", part.display());
            return Err(Error::refused(
                Code::Unsupported,
                message,
                "only a folder that callsheet wrote is one table",
            ));
        };
        keys.extend(column.iter().map(|key| key.unwrap_or_default().to_owned()));
        Ok(())
    })?;
    Ok(keys)
}

pub(super) type Builder = ParquetRecordBatchReaderBuilder<File>;
