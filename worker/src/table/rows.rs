//! Digests of single rows. A digest depends on the values of a row, but not on the encoding of its columns.
//!
//! It covers the names and types of the columns and, for each value, a byte that is 0 for a null, and the
//! value. Values of variable length are preceded by their length.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use rayon::prelude::*;

use super::types::type_name;
use crate::digest::Digest;

/// Format of the digest. Increase the number when the digest of an unchanged row changes.
const FORMAT: &str = "callsheet row 1";

/// Smallest number of rows that a thread hashes if there are several threads.
const SHARE: usize = 64;

/// Computes the digest of every row of a batch.
///
/// # Errors
/// Returns an error if a column has a type without a digest.
pub fn row_digests(batch: &RecordBatch) -> Result<Vec<Digest>, ArrowError> {
    let schema = batch.schema();
    let mut head = blake3::Hasher::new();
    head.update(FORMAT.as_bytes());
    for field in schema.fields() {
        let column = format!("{}: {}", field.name(), type_name(field.data_type()));
        head.update(&(column.len() as u64).to_le_bytes()).update(column.as_bytes());
    }
    let head = head.finalize();
    let columns = batch.columns().iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
    let digest = |row| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(head.as_bytes());
        columns.iter().for_each(|column| column.feed(row, &mut hasher));
        hasher.finalize().into()
    };
    Ok((0..batch.num_rows()).into_par_iter().with_min_len(SHARE).map(digest).collect())
}

/// Computes the digest of a table from the digests of its rows, in the order of their key.
pub fn digest_of_rows<'a>(fields: &[(String, String)], rows: impl Iterator<Item = &'a Digest>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"callsheet rows 1");
    for text in fields.iter().flat_map(|(name, kind)| [name, kind]) {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    rows.for_each(|row| _ = hasher.update(row.as_bytes()));
    hasher.finalize().into()
}

/// A column whose values can be read row by row.
struct Column {
    array: ArrayRef,
    values: Values,
}

enum Values {
    /// Values with a fixed number of bytes.
    Fixed(Buffer, usize),
    Bools,
    Bytes,
    /// Vectors with a fixed number of elements.
    Vectors(Box<Column>, usize),
    Lists(Box<Column>, Vec<usize>),
    Struct(Vec<Column>),
}

impl Column {
    fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        let plain = |kind: &DataType| Self::new(&cast(array, kind)?);
        let values = match array.data_type() {
            // Other encodings of a type are converted to one of the encodings below.
            DataType::Dictionary(_, values) => return plain(values),
            DataType::Utf8View => return plain(&DataType::LargeUtf8),
            DataType::BinaryView => return plain(&DataType::LargeBinary),
            DataType::LargeList(item) => return plain(&DataType::List(item.clone())),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => Values::Bytes,
            DataType::Boolean => Values::Bools,
            DataType::FixedSizeList(_, length) => {
                let length = *length as usize;
                let lists = array.as_fixed_size_list();
                let values = lists.values().slice(lists.value_offset_at(0), lists.len() * length);
                Values::Vectors(Box::new(Self::new(&values)?), length)
            }
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                let offsets = lists.offsets().iter().map(|at| *at as usize).collect();
                Values::Lists(Box::new(Self::new(lists.values())?), offsets)
            }
            DataType::Struct(_) => {
                let columns = array.as_struct().columns().iter().map(Self::new);
                Values::Struct(columns.collect::<Result<_, _>>()?)
            }
            other => {
                let width = other.primitive_width().ok_or_else(|| {
                    ArrowError::NotYetImplemented(format!("a column of type {other} has no digest"))
                })?;
                let data = array.to_data();
                let bytes = (data.offset() * width, data.len() * width);
                Values::Fixed(data.buffers()[0].slice_with_length(bytes.0, bytes.1), width)
            }
        };
        Ok(Self { array: array.clone(), values })
    }

    fn feed(&self, row: usize, hasher: &mut blake3::Hasher) {
        let there = self.array.is_valid(row);
        hasher.update(&[u8::from(there)]);
        if !there {
            return;
        }
        match &self.values {
            Values::Fixed(bytes, width) => _ = hasher.update(&bytes[row * width..][..*width]),
            Values::Bools => _ = hasher.update(&[u8::from(self.array.as_boolean().value(row))]),
            Values::Bytes => {
                let bytes = self.bytes(row);
                hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
            }
            Values::Vectors(item, length) => item.feed_range(row * length, *length, hasher),
            Values::Lists(item, offsets) => {
                let length = offsets[row + 1] - offsets[row];
                hasher.update(&(length as u64).to_le_bytes());
                item.feed_range(offsets[row], length, hasher);
            }
            Values::Struct(columns) => columns.iter().for_each(|column| column.feed(row, hasher)),
        }
    }

    /// Feeds elements of a list. Values of fixed width are fed at once if none of them is null.
    fn feed_range(&self, start: usize, length: usize, hasher: &mut blake3::Hasher) {
        let holes = self.array.nulls().map_or(0, |nulls| nulls.slice(start, length).null_count());
        hasher.update(&[u8::from(holes > 0)]);
        match &self.values {
            Values::Fixed(bytes, width) if holes == 0 => {
                hasher.update(&bytes[start * width..][..length * width]);
            }
            _ => (start..start + length).for_each(|row| self.feed(row, hasher)),
        }
    }

    fn bytes(&self, row: usize) -> &[u8] {
        match self.array.data_type() {
            DataType::Utf8 => self.array.as_string::<i32>().value(row).as_bytes(),
            DataType::LargeUtf8 => self.array.as_string::<i64>().value(row).as_bytes(),
            DataType::Binary => self.array.as_binary::<i32>().value(row),
            _ => self.array.as_binary::<i64>().value(row),
        }
    }
}

/// Names and types of columns, for [`digest_of_rows`].
pub fn field_names<'a>(fields: impl IntoIterator<Item = &'a std::sync::Arc<Field>>) -> Vec<(String, String)> {
    fields.into_iter().map(|field| (field.name().clone(), type_name(field.data_type()))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, ListArray, StringArray, StructArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Int32Type, Schema};

    use super::*;
    use crate::table::vector_type;

    /// Rows with text, vectors, lists that contain nulls, and structs.
    fn rows(from: i32, to: i32) -> RecordBatch {
        let ids = StringArray::from_iter_values((from..to).map(|i| format!("row {i}")));
        let vectors = (from..to).flat_map(|i| [i as f32, 0.5]).collect::<Vec<_>>();
        let vectors = arrow::array::FixedSizeListArray::new(
            Arc::new(Field::new("element", DataType::Float32, false)),
            2,
            Arc::new(Float32Array::from(vectors)),
            None,
        );
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
            (from..to).map(|i| (i % 3 > 0).then(|| vec![Some(i), (i % 2 > 0).then_some(i)])),
        );
        let inner = Field::new("n", DataType::Utf8, false);
        let structs = StructArray::new(vec![inner].into(), vec![Arc::new(ids.clone())], None);
        let schema = Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("v", vector_type(DataType::Float32, 2), false),
            Field::new("l", lists.data_type().clone(), true),
            Field::new("s", structs.data_type().clone(), false),
        ]);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(ids), Arc::new(vectors), Arc::new(lists), Arc::new(structs)];
        RecordBatch::try_new(Arc::new(schema), columns).expect("a batch")
    }

    #[test]
    fn the_digest_of_a_row_does_not_depend_on_its_neighbours() {
        let whole = rows(0, 40);
        let all = row_digests(&whole).expect("digests");
        let single = |at| row_digests(&whole.slice(at, 1)).expect("digests")[0];
        assert!((0..40).all(|at| all[at] == single(at)));
        let parts = [rows(0, 7), rows(7, 40)];
        let joined = concat_batches(&whole.schema(), &parts).expect("joined");
        assert_eq!(row_digests(&joined).expect("digests"), all);
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 40);
    }

    #[test]
    fn digests_depend_on_the_column_name_but_not_on_the_encoding() {
        let digest = |name: &str, kind: &DataType| {
            let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
            let column = cast(&texts, kind).expect("cast");
            row_digests(&RecordBatch::try_from_iter([(name, column)]).expect("a batch")).expect("digests")
        };
        let plain = digest("t", &DataType::Utf8);
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        for kind in [DataType::LargeUtf8, DataType::Utf8View, dictionary] {
            assert_eq!(digest("t", &kind), plain);
        }
        assert_ne!(digest("u", &DataType::Utf8), plain);
    }
}
