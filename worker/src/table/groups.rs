//! Row groups of a table, so that threads can read one file in parallel.

use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::file::TableFile;
use super::parts::part_files;
use crate::error::{Error, Result};

/// Row group of one file of a table. All row groups of a file share its footer, which is read once.
#[derive(Debug, Clone)]
pub struct RowGroup {
    path: PathBuf,
    footer: ArrowReaderMetadata,
    index: usize,
}

/// Returns the row groups of all files of a table, file by file.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub fn row_groups(table: &Path) -> Result<Vec<RowGroup>> {
    let mut groups = Vec::new();
    for path in part_files(table)? {
        let footer = TableFile::footer_with_pages(&path)?;
        let group = |index| RowGroup { path: path.clone(), footer: footer.clone(), index };
        groups.extend((0..footer.metadata().num_row_groups()).map(group));
    }
    Ok(groups)
}

impl RowGroup {
    /// Calls `each` with batches of the row group's rows, of at most `rows` rows, in the order of the file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, lacks a column, is damaged in this row group, or `each` fails.
    pub fn read_batches<E: From<Error>>(
        &self,
        columns: &[&str],
        rows: usize,
        mut each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let file = TableFile::with_footer(&self.path, &self.footer)?.group(self.index)?;
        for batch in file.project(columns)?.batches(rows)? {
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

        // A folder of files is a table, too.
        let parts = folder.path().join("parts");
        std::fs::create_dir(&parts).expect("created");
        for name in ["part-00000.parquet", "part-00001.parquet"] {
            std::fs::copy(&path, parts.join(name)).expect("copied");
        }
        assert_eq!(row_groups(&parts).expect("row groups").len(), 8);

        // Damage of the first row group's page affects this row group only.
        let mut bytes = std::fs::read(&path).expect("readable");
        bytes[4..24].fill(0xff);
        std::fs::write(&path, bytes).expect("written");
        let read = |group: &RowGroup| group.read_batches(&[], 8, |_| Ok::<(), Error>(()));
        let groups = row_groups(&path).expect("the footer is sound");
        let error = read(&groups[0]).expect_err("damaged");
        assert!(error.to_string().contains("rows.parquet"), "{error}");
        read(&groups[1]).expect("sound");
    }
}
