//! Row groups of a table, so that threads can read one file in parallel.

use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;

use super::file::TableFile;
use super::parts::part_files;
use crate::error::{Error, Result};

/// Row group of one file of a table.
#[derive(Debug, Clone)]
pub struct RowGroup {
    path: PathBuf,
    index: usize,
}

/// Returns the row groups of all files of a table, file by file.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub fn row_groups(table: &Path) -> Result<Vec<RowGroup>> {
    let mut groups = Vec::new();
    for path in part_files(table)? {
        let count = TableFile::open(&path)?.metadata().num_row_groups();
        groups.extend((0..count).map(|index| RowGroup { path: path.clone(), index }));
    }
    Ok(groups)
}

impl RowGroup {
    /// Calls `each` with batches of the row group's rows, of at most `rows` rows, in the order of the file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, lacks a column, has no such row group any more, or `each` fails.
    pub fn read_batches<E: From<Error>>(
        &self,
        columns: &[&str],
        rows: usize,
        mut each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        for batch in TableFile::open(&self.path)?.group(self.index)?.project(columns)?.batches(rows)? {
            each(batch?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use arrow::array::{AsArray as _, Int32Array};
    use arrow::datatypes::Int32Type;
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;

    use super::*;

    #[test]
    fn the_row_groups_of_a_table_have_each_of_its_rows_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.parquet");
        let values: Arc<Int32Array> = Arc::new((0..10).collect::<Vec<i32>>().into());
        let batch = RecordBatch::try_from_iter([("value", values as _)]).expect("a batch");
        let three = WriterProperties::builder().set_max_row_group_row_count(Some(3)).build();
        let file = File::create(&path).expect("created");
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(three)).expect("a writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");

        let groups = row_groups(&path).expect("row groups");
        let mut found: Vec<Vec<i32>> = Vec::new();
        for group in &groups {
            let mut each = |batch: RecordBatch| -> Result<()> {
                found.push(batch["value"].as_primitive::<Int32Type>().values().to_vec());
                Ok(())
            };
            group.read_batches(&["value"], 2, &mut each).expect("read");
        }
        let wanted: [&[i32]; 7] = [&[0, 1], &[2], &[3, 4], &[5], &[6, 7], &[8], &[9]];
        assert_eq!((groups.len(), found), (4, wanted.map(<[i32]>::to_vec).to_vec()));

        let gone = RowGroup { index: 4, ..groups[0].clone() };
        let error = gone.read_batches(&[], 2, |_| Ok::<(), Error>(())).expect_err("no such row group");
        assert!(error.to_string().contains("rows.parquet"), "{error}");
    }
}
