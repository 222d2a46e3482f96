//! Table whose rows are found by their position, without reading those before them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Field, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection, RowSelector};
use parquet::errors::ParquetError;

use super::file::TableFile;
use super::parts::{key_order, part_files};
use crate::error::{IoContext, Result};

/// Table whose footers are read once. Its rows are in the order in which [`super::read_batches`] reads them.
#[derive(Debug)]
pub struct IndexedTable {
    files: Vec<Part>,
    /// For each row of a table of several files: its file, and its position there.
    order: Option<Vec<(u32, u32)>>,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    footer: ArrowReaderMetadata,
}

impl IndexedTable {
    /// Opens a table.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read.
    pub fn open(table: &Path) -> Result<Self> {
        let paths = part_files(table)?;
        let open =
            |path: &PathBuf| Ok(Part { footer: TableFile::footer_with_pages(path)?, path: path.clone() });
        let files = paths.iter().map(open).collect::<Result<Vec<Part>>>()?;
        let order = if files.len() > 1 { Some(positions(&key_order(&paths)?, files.len())) } else { None };
        Ok(Self { files, order })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        let rows = |part: &Part| part.footer.metadata().file_metadata().num_rows().unsigned_abs();
        self.files.iter().map(rows).sum()
    }

    /// Columns of the table, with the plain types in which they are read.
    ///
    /// # Errors
    /// Returns an error if a file cannot be opened.
    pub fn schema(&self) -> Result<SchemaRef> {
        Ok(self.first()?.schema())
    }

    /// Reads columns of the rows from position `from`, at most `count` of them and none after the last one. The columns are
    /// in the order of the table.
    ///
    /// # Errors
    /// Returns an error if the table has no such column, or the part of a file with these rows is damaged.
    pub fn read(&self, columns: &[&str], from: u64, count: u64) -> Result<RecordBatch> {
        let from = from.min(self.rows());
        let rows = from..from.saturating_add(count).min(self.rows());
        let Some(order) = &self.order else {
            return self.files[0].read(columns, rows.start as usize, (rows.end - rows.start) as usize);
        };
        let order = &order[rows.start as usize..rows.end as usize];
        // Rows of one file keep their order, so those in a range are next to each other in the file.
        let (mut batches, mut starts) = (Vec::new(), Vec::new());
        for (file, part) in self.files.iter().enumerate() {
            let mut of_file =
                order.iter().filter(|(own, _)| *own as usize == file).map(|(_, at)| *at as usize);
            let start = of_file.next().unwrap_or_default();
            let count = order.iter().filter(|(own, _)| *own as usize == file).count();
            batches.push(part.read(columns, start, count)?);
            starts.push(start);
        }
        let place = |(file, at): &(u32, u32)| (*file as usize, *at as usize - starts[*file as usize]);
        let places: Vec<(usize, usize)> = order.iter().map(place).collect();
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        let rows = interleave_record_batch(&batches, &places).map_err(ParquetError::from);
        rows.io_context("cannot read", &self.files[0].path)
    }

    /// Opens the first file.
    pub(super) fn first(&self) -> Result<TableFile> {
        TableFile::with_footer(&self.files[0].path, &self.files[0].footer)
    }

    /// Path of the first file, for errors.
    pub(super) fn path(&self) -> &Path {
        &self.files[0].path
    }
}

impl Part {
    fn read(&self, columns: &[&str], from: usize, count: usize) -> Result<RecordBatch> {
        let file = TableFile::with_footer(&self.path, &self.footer)?.project(columns)?;
        let names = file.schema();
        let selection = RowSelection::from(vec![RowSelector::skip(from), RowSelector::select(count)]);
        let mut batches = file.select(selection).batches(count.max(1))?;
        let empty = || {
            let chosen = |(_, field): &(usize, &Arc<Field>)| {
                columns.is_empty() || columns.contains(&field.name().as_str())
            };
            let chosen = names.fields().iter().enumerate().filter(chosen).map(|(at, _)| at);
            let schema = names.project(&chosen.collect::<Vec<_>>()).expect("fields of the schema");
            RecordBatch::new_empty(Arc::new(schema))
        };
        Ok(batches.next().transpose()?.unwrap_or_else(empty))
    }
}

/// Returns the file and the position there of each row, from the file of each row.
fn positions(order: &[u32], files: usize) -> Vec<(u32, u32)> {
    let mut next = vec![0; files];
    let position = |file: &u32| {
        let at = &mut next[*file as usize];
        *at += 1;
        (*file, *at - 1)
    };
    order.iter().map(position).collect()
}
