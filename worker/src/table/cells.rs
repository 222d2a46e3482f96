//! Single values of a column of images or bytes, for programs that show one image at a time.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;

use super::indexed::IndexedTable;
use super::types::type_name;
use crate::code::Code;
use crate::error::{Error, Result};

/// Column of images or bytes. Each value is read alone, by the index of the file's pages.
#[derive(Debug)]
pub struct Cells {
    column: String,
    table: IndexedTable,
}

impl Cells {
    /// Opens the column of a table.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or has no such column of type `image` or `binary`.
    pub fn open(table: &Path, column: &str) -> Result<Self> {
        let table = IndexedTable::open(table)?;
        table.first()?.project(&[column])?;
        let kind = type_name(table.schema()?.field_with_name(column).expect("it was found").data_type());
        if kind != "image" && kind != "binary" {
            return Err(Error::user_error(
                Code::Unsupported,
                format!("column `{column}` of {} has the type `{kind}`", table.path().display()),
                "name a column of images or bytes",
            ));
        }
        Ok(Self { column: column.to_owned(), table })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.table.rows()
    }

    /// Reads the value of a row, counted from 0 in the order in which [`super::read_batches`] reads rows. A missing value
    /// is `None`.
    ///
    /// # Errors
    /// Returns an error if the table has no such row, or the part of the file with the value is damaged.
    pub fn get(&self, row: u64) -> Result<Option<Vec<u8>>> {
        Ok(bytes(self.table.read_at(&[&self.column], &[row])?.column(0)))
    }
}

/// Returns the bytes in the first row of a column, which is of type `image` or `binary`.
fn bytes(column: &ArrayRef) -> Option<Vec<u8>> {
    let column = match column.data_type() {
        DataType::Struct(_) => column.as_struct().column_by_name("bytes")?,
        _ => column,
    };
    let bytes = column.as_binary_opt::<i32>()?;
    bytes.is_valid(0).then(|| bytes.value(0).to_vec())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Int64Array, RecordBatch};
    use arrow::datatypes::{Field, Int64Type, Schema};

    use super::super::footer::{FOOTER_PREFIX, KEY};
    use super::super::write::TableWriter;
    use super::*;

    fn value(row: i64) -> Vec<u8> {
        vec![row as u8; 1 + (row as usize * 37) % 5000]
    }

    fn write(path: &Path, rows: impl Iterator<Item = i64>) {
        let rows: Vec<i64> = rows.collect();
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("image", DataType::Binary, true),
        ]);
        let values: Vec<Option<Vec<u8>>> =
            rows.iter().map(|row| (row % 7 != 3).then(|| value(*row))).collect();
        let values = BinaryArray::from_iter(values);
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(rows)), Arc::new(values)];
        let footer = BTreeMap::from([(format!("{FOOTER_PREFIX}{KEY}"), "id".to_owned())]);
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns).expect("a batch");
        let mut writer = TableWriter::create(path, schema, &footer).expect("created");
        writer.write(&batch).expect("written");
        writer.finish().expect("written");
    }

    fn check(table: &Path) {
        let cells = Cells::open(table, "image").expect("opened");
        assert_eq!(cells.rows(), 3000);
        for row in (0..3000).step_by(13).chain([2999]) {
            let expected = (row % 7 != 3).then(|| value(row));
            assert_eq!(cells.get(row as u64).expect("read"), expected, "row {row}");
        }
        assert!(cells.get(3000).is_err());
        let table = IndexedTable::open(table).expect("opened");
        for (from, count) in [(0, 50), (1499, 7), (2990, 50), (3000, 5), (9000, 5), (0, 0)] {
            let batch = table.read(&["id"], from, count).expect("read");
            let expected: Vec<i64> = (from as i64..3000).take(count as usize).collect();
            assert_eq!(
                batch.column(0).as_primitive::<Int64Type>().values(),
                &expected[..],
                "{count} from {from}"
            );
        }
    }

    #[test]
    fn each_value_of_a_file_and_of_a_folder_is_read_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("all.parquet");
        write(&file, 0..3000);
        check(&file);
        let parts = folder.path().join("parts");
        std::fs::create_dir(&parts).expect("created");
        write(&parts.join("0.parquet"), (0..3000).filter(|row| row % 3 == 0));
        write(&parts.join("1.parquet"), (0..3000).filter(|row| row % 3 != 0));
        check(&parts);
    }

    #[test]
    fn other_columns_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("all.parquet");
        write(&file, 0..5);
        let table = IndexedTable::open(&file).expect("opened");
        assert_eq!(table.schema().expect("columns").fields().len(), 2);
        for (column, message) in [("imag", "did you mean `image`?"), ("id", "has the type `int64`")] {
            let error = Cells::open(&file, column).expect_err("refused");
            assert!(format!("{error:?}").contains(message), "{error:?}");
        }
    }
}
