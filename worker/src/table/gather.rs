//! Hands out rows of several files as those of one table.

use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};

use super::file::{open, project};
use crate::code::Code;
use crate::error::{Doing, Error, Result};

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
