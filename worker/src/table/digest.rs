//! Logical digest of a table. It depends on the schema and the rows, but not on the encoding, the row groups,
//! the compression or the footer.
//!
//! Every column is hashed separately: first the positions of its nulls, then its values in order. Values of
//! variable length are preceded by their length. The value of a null is not hashed.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, make_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};

use super::file::TableFile;
use super::types::type_name;
use crate::digest::Digest;
use crate::error::{IoContext, Result};

/// Format of the digest. Increase the number when the digest of an unchanged table changes.
const FORMAT: &str = "callsheet table 1";

/// Computes the digest and the number of rows of the table at `path`.
///
/// # Errors
/// Returns an error if the table cannot be read, or a column has a type without a digest.
pub fn digest(path: &Path) -> Result<(Digest, u64)> {
    let file = TableFile::open(path)?;
    let fields = file.encoded_schema().fields();
    let mut columns: Vec<Column> = fields.iter().map(|f| Column::new(f)).collect();
    for batch in file.encoded_batches(256)? {
        let batch = batch?;
        let fed = columns.iter_mut().zip(batch.columns()).try_for_each(|(c, a)| c.feed(a));
        fed.map_err(parquet::errors::ParquetError::from).io_context("cannot read", path)?;
    }
    let rows = columns.first().map_or(0, |c| c.length);
    let mut hasher = blake3::Hasher::new();
    hasher.update(FORMAT.as_bytes());
    for column in &columns {
        column.finish(&mut hasher);
    }
    Ok((hasher.finalize().into(), rows))
}

struct Column {
    name: String,
    length: u64,
    nulls: blake3::Hasher,
    values: blake3::Hasher,
    children: Vec<Column>,
}

impl Column {
    fn new(field: &Field) -> Self {
        let children = match field.data_type() {
            DataType::Struct(fields) => fields.iter().map(|f| Self::new(f)).collect(),
            DataType::FixedSizeList(item, _) | DataType::List(item) | DataType::LargeList(item) => {
                vec![Self::new(&Field::new("element", item.data_type().clone(), true))]
            }
            _ => Vec::new(),
        };
        Self {
            name: format!("{}: {}", field.name(), type_name(field.data_type())),
            length: 0,
            nulls: blake3::Hasher::new(),
            values: blake3::Hasher::new(),
            children,
        }
    }

    fn finish(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&(self.name.len() as u64).to_le_bytes()).update(self.name.as_bytes());
        hasher.update(&self.length.to_le_bytes());
        hasher.update(self.nulls.finalize().as_bytes());
        hasher.update(self.values.finalize().as_bytes());
        for child in &self.children {
            child.finish(hasher);
        }
    }

    fn feed(&mut self, array: &ArrayRef) -> Result<(), arrow::error::ArrowError> {
        if array.null_count() == 0 {
            self.feed_valid(array)?;
        } else {
            for row in 0..array.len() {
                if array.is_null(row) {
                    self.nulls.update(&self.length.to_le_bytes());
                    self.length += 1;
                } else {
                    self.feed_valid(&array.slice(row, 1))?;
                }
            }
        }
        Ok(())
    }

    /// Feeds an array that contains no nulls itself.
    fn feed_valid(&mut self, array: &ArrayRef) -> Result<(), arrow::error::ArrowError> {
        match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
                let texts = cast(array, &DataType::LargeUtf8)?;
                for text in texts.as_string::<i64>().iter().flatten() {
                    self.feed_bytes(text.as_bytes());
                }
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                let binaries = cast(array, &DataType::LargeBinary)?;
                for bytes in binaries.as_binary::<i64>().iter().flatten() {
                    self.feed_bytes(bytes);
                }
            }
            DataType::Boolean => {
                let bools: &BooleanArray = array.as_boolean();
                for value in bools.iter().flatten() {
                    self.values.update(&[u8::from(value)]);
                }
            }
            DataType::FixedSizeList(..) => {
                self.children[0].feed(array.as_fixed_size_list().values())?;
            }
            DataType::LargeList(item) => {
                self.feed_valid(&cast(array, &DataType::List(item.clone()))?)?;
            }
            DataType::List(_) => {
                for row in array.as_list::<i32>().iter().flatten() {
                    self.values.update(&(row.len() as u64).to_le_bytes());
                    self.children[0].feed(&row)?;
                }
            }
            DataType::Struct(_) => {
                for (child, column) in self.children.iter_mut().zip(array.as_struct().columns()) {
                    child.feed(column)?;
                }
            }
            other => {
                let width = other.primitive_width().ok_or_else(|| {
                    let message = format!("a column of type {other} has no digest");
                    arrow::error::ArrowError::NotYetImplemented(message)
                })?;
                // A slice shares its parent's buffer, so only the bytes of its own rows are used.
                let data = make_array(array.to_data()).to_data();
                let start = data.offset() * width;
                let bytes = &data.buffers()[0].as_slice()[start..start + data.len() * width];
                self.values.update(bytes);
            }
        }
        self.length += array.len() as u64;
        Ok(())
    }

    fn feed_bytes(&mut self, bytes: &[u8]) {
        self.values.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{FixedSizeListArray, Float32Array, Int64Array, ListArray, StringArray};
    use arrow::datatypes::{Int32Type, Schema};
    use arrow::record_batch::RecordBatch;

    use super::*;
    use crate::table::{TableWriter, vector_type};

    fn table(ids: &[&str], values: &[f32]) -> RecordBatch {
        let vectors = FixedSizeListArray::new(
            Arc::new(Field::new("element", DataType::Float32, false)),
            2,
            Arc::new(Float32Array::from(values.to_vec())),
            None,
        );
        let lists = ids.iter().map(|id| Some(id.bytes().map(|b| Some(i32::from(b)))));
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
        let numbers = ids.iter().map(|id| (*id != "b").then_some(7)).collect::<Int64Array>();
        RecordBatch::try_new(
            Arc::new(Schema::new(vec![
                Field::new("id", DataType::Utf8, false),
                Field::new("v", vector_type(DataType::Float32, 2), false),
                Field::new("l", lists.data_type().clone(), true),
                Field::new("n", DataType::Int64, true),
            ])),
            vec![
                Arc::new(StringArray::from(ids.to_vec())),
                Arc::new(vectors),
                Arc::new(lists),
                Arc::new(numbers),
            ],
        )
        .expect("a table")
    }

    fn digest_of(batches: &[RecordBatch], footer: &str) -> (Digest, u64) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.parquet");
        let schema = batches[0].schema().as_ref().clone();
        let footer = BTreeMap::from([("note".to_owned(), footer.to_owned())]);
        let mut writer = TableWriter::create(&path, schema, &footer).expect("created");
        batches.iter().for_each(|b| writer.write(b).expect("written"));
        writer.finish().expect("finished");
        digest(&path).expect("a digest")
    }

    #[test]
    fn batches_and_footer_do_not_matter() {
        let whole = table(&["a", "b", "cc"], &[1., 2., 3., 4., 5., 6.]);
        let parts = [whole.slice(0, 1), whole.slice(1, 2)];
        assert_eq!(digest_of(&[whole], "x"), digest_of(&parts, "y"));
    }

    #[test]
    fn values_order_and_names_matter() {
        let (base, rows) = digest_of(&[table(&["a", "b"], &[1., 2., 3., 4.])], "");
        assert_eq!(rows, 2);
        assert_ne!(base, digest_of(&[table(&["a", "b"], &[1., 2., 3., 5.])], "").0);
        assert_ne!(base, digest_of(&[table(&["b", "a"], &[1., 2., 3., 4.])], "").0);
        assert_ne!(base, digest_of(&[table(&["ab", ""], &[1., 2., 3., 4.])], "").0);
    }
}
