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
use crate::code::Code;
use crate::error::{Error, IoContext, Result};

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

    /// Size of the values of a column in bytes, as the footers of the files state it: without compression, and with each value
    /// of a dictionary once.
    pub fn size(&self, column: &str) -> u64 {
        let groups = self.files.iter().flat_map(|part| part.footer.metadata().row_groups());
        let columns = groups.flat_map(|group| group.columns());
        let sizes =
            columns.filter(|chunk| chunk.column_path().parts().first().is_some_and(|name| name == column));
        sizes.map(|chunk| chunk.uncompressed_size().unsigned_abs()).sum()
    }

    /// Reads columns of the rows from position `from`, at most `count` of them and none after the last one. The columns are
    /// in the order of the table.
    ///
    /// # Errors
    /// Returns an error if the table has no such column, or the part of a file with these rows is damaged.
    pub fn read(&self, columns: &[&str], from: u64, count: u64) -> Result<RecordBatch> {
        let from = from.min(self.rows());
        let to = from.saturating_add(count).min(self.rows());
        if self.order.is_some() {
            return self.read_at(columns, &(from..to).collect::<Vec<u64>>());
        }
        let (from, count) = (from as usize, (to - from) as usize);
        let selection = RowSelection::from(vec![RowSelector::skip(from), RowSelector::select(count)]);
        self.files[0].read(columns, selection, count)
    }

    /// Reads columns of the rows at these positions, in the order of the positions. The columns are in the order of the table.
    ///
    /// # Errors
    /// Returns an error if the table has no such column or row, or the parts of the files with these rows are damaged.
    pub fn read_at(&self, columns: &[&str], positions: &[u64]) -> Result<RecordBatch> {
        let total = self.rows();
        let places =
            positions.iter().map(|row| self.place(*row, total)).collect::<Result<Vec<(usize, usize)>>>()?;
        let mut of_files: Vec<Vec<usize>> = vec![Vec::new(); self.files.len()];
        for (file, at) in &places {
            of_files[*file].push(*at);
        }
        let mut batches = Vec::new();
        for (part, rows) in self.files.iter().zip(&mut of_files) {
            rows.sort_unstable();
            rows.dedup();
            let ranges = rows.iter().map(|at| *at..at + 1);
            let total = part.footer.metadata().file_metadata().num_rows().unsigned_abs() as usize;
            batches.push(part.read(
                columns,
                RowSelection::from_consecutive_ranges(ranges, total),
                rows.len(),
            )?);
        }
        let found = |(file, at): &(usize, usize)| (*file, of_files[*file].partition_point(|row| row < at));
        let found: Vec<(usize, usize)> = places.iter().map(found).collect();
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        interleave_record_batch(&batches, &found)
            .map_err(ParquetError::from)
            .io_context("cannot read", self.path())
    }

    /// Returns the file of a row, and its position there. `total` is the number of rows.
    fn place(&self, row: u64, total: u64) -> Result<(usize, usize)> {
        if row >= total {
            let message = format!("row {row} does not exist; the table has {total} rows");
            return Err(Error::user_error(Code::UnknownName, message, "name a row of the table"));
        }
        Ok(match &self.order {
            Some(order) => (order[row as usize].0 as usize, order[row as usize].1 as usize),
            None => (0, row as usize),
        })
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
    fn read(&self, columns: &[&str], rows: RowSelection, count: usize) -> Result<RecordBatch> {
        let file = TableFile::with_footer(&self.path, &self.footer)?.project(columns)?;
        let names = file.schema();
        let mut batches = file.select(rows).batches(count.max(1))?;
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
