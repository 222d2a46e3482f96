//! Reads rows of several files as rows of one table.

use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::file::{Batches, TableFile};
use crate::code::Code;
use crate::error::{Error, IoContext, Result};

/// Selected rows of one file.
pub struct Rows<'a> {
    /// Path of the file.
    pub path: &'a Path,
    /// Positions of the rows, in increasing order; `None` selects all rows.
    pub chosen: Option<Vec<u64>>,
}

/// Calls `each` with rows of several files, in batches of at most `batch` rows.
///
/// `order` has the index of a file for each row. Rows of one file keep their order.
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
        // Files of one table may differ only in the columns that may contain nulls.
        let schemas = batches.iter().map(|batch| batch.schema().as_ref().clone());
        let schema = arrow::datatypes::Schema::try_merge(schemas).map(SchemaRef::from);
        let schema = schema.map_err(parquet::errors::ParquetError::from).io_context("cannot join", path)?;
        let joined = arrow::compute::concat_batches(&schema, batches);
        return joined.map_err(parquet::errors::ParquetError::from).io_context("cannot join", path);
    };
    Ok(batch.clone())
}

/// A file that is being read.
struct Cursor {
    path: PathBuf,
    reader: Batches,
    batch: Option<RecordBatch>,
}

impl Cursor {
    fn open(rows: &Rows, columns: &[&str], batch: usize) -> Result<Self> {
        let mut file = TableFile::open(rows.path)?.project(columns)?;
        if let Some(chosen) = &rows.chosen {
            file = file.select(selection(chosen));
        }
        Ok(Self { path: rows.path.to_owned(), reader: file.batches(batch)?, batch: None })
    }

    /// Returns the next rows: at least one, and at most `most`.
    fn take(&mut self, most: usize) -> Result<RecordBatch> {
        let batch = match self.batch.take() {
            Some(batch) => batch,
            None => match self.reader.next() {
                Some(batch) => batch?,
                None => {
                    let message = format!("{} has fewer rows than expected", self.path.display());
                    return Err(Error::user_error(
                        Code::Unreadable,
                        message,
                        "run `callsheet verify` to list damaged results",
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
