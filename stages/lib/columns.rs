//! Conversion between columns and vectors.

use std::iter::repeat_n;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array,
    Int32Array, Int64Array, ListArray, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int32Type, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use callsheet_worker::Job;
use callsheet_worker::table::{image_type, vector_type};

/// A column under construction, with its name.
pub(crate) type Column = (&'static str, ArrayRef);

/// A column of text.
pub(crate) fn strings<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// A column of 32-bit integers.
pub(crate) fn int32s(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

/// A column of 64-bit integers.
pub(crate) fn int64s(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// A column of 32-bit floats.
pub(crate) fn float32s(values: impl IntoIterator<Item = f32>) -> ArrayRef {
    Arc::new(Float32Array::from_iter_values(values))
}

/// A column of booleans.
pub(crate) fn bools(values: impl IntoIterator<Item = bool>) -> ArrayRef {
    Arc::new(BooleanArray::from_iter(values.into_iter().map(Some)))
}

/// A column of 64-bit floats.
pub(crate) fn float64s(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// A column of vectors with `length` values. `values` are those of all vectors, one vector after the other.
///
/// # Errors
/// Returns an error if the number of values is not a multiple of `length`.
pub(crate) fn vectors(length: usize, values: Vec<f32>) -> Result<ArrayRef> {
    let values: ArrayRef = Arc::new(Float32Array::from(values));
    Ok(Arc::new(FixedSizeListArray::try_new(element(), length as i32, values, None)?))
}

/// A column of lists with `length` values. `values` are those of all lists, one list after the other.
///
/// # Errors
/// Returns an error if the number of values is not a multiple of `length`.
pub(crate) fn lists(length: usize, values: Vec<f32>) -> Result<ArrayRef> {
    let fits = length > 0 && values.len().is_multiple_of(length);
    anyhow::ensure!(fits, "{} values, lists of {length}", values.len());
    let offsets = OffsetBuffer::from_lengths(repeat_n(length, values.len() / length));
    let values: ArrayRef = Arc::new(Float32Array::from(values));
    Ok(Arc::new(ListArray::try_new(element(), offsets, values, None)?))
}

fn element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Float32, false))
}

/// A column of encoded images with the names they would have as files.
///
/// # Errors
/// Returns an error if the numbers of names and images differ.
pub(crate) fn images(bytes: &[Vec<u8>], names: &[String]) -> Result<ArrayRef> {
    let DataType::Struct(fields) = image_type() else { unreachable!("an image is a struct") };
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(bytes));
    Ok(Arc::new(StructArray::try_new(fields, vec![bytes, strings(names)], None)?))
}

/// Schema of columns without nulls.
pub(crate) fn schema(columns: &[(&str, DataType)]) -> Schema {
    Schema::new(columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), false)).collect::<Vec<_>>())
}

/// Schema of these columns, without nulls.
pub(crate) fn schema_of(columns: &[Column]) -> Schema {
    let kinds = columns.iter().map(|(name, values)| (*name, values.data_type().clone()));
    schema(&kinds.collect::<Vec<_>>())
}

/// Type of a column of style codes or features.
pub(crate) fn vector(length: usize) -> DataType {
    vector_type(DataType::Float32, length as i32)
}

/// Type of a column of lists of 32-bit floats, whose length is known when the stage runs.
pub(crate) fn list() -> DataType {
    DataType::List(element())
}

/// Combines columns into one batch.
///
/// # Errors
/// Returns an error if the columns have different lengths.
pub(crate) fn batch(columns: Vec<Column>) -> Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, false)))?)
}

/// Writes an output of a stage that consists of these columns.
///
/// # Errors
/// Returns an error if stage.toml declares no such output, the columns have different lengths, or the file
/// cannot be written.
pub(crate) fn write_table(job: &Job, output: &str, columns: Vec<Column>) -> Result<()> {
    let mut table = job.table(output, schema_of(&columns))?;
    table.write(&batch(columns)?)?;
    Ok(table.finish()?)
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    let column = batch.column_by_name(name).ok_or_else(|| anyhow!("no column `{name}`"))?;
    anyhow::ensure!(column.null_count() == 0, "column `{name}` has nulls");
    Ok(column)
}

/// Reads a text column.
///
/// # Errors
/// Returns an error if the column is missing, has another type, or contains nulls.
pub(crate) fn read_strings(batch: &RecordBatch, name: &str) -> Result<Vec<String>> {
    let texts = column(batch, name)?.as_string_opt::<i32>().context(format!("`{name}` is not text"))?;
    Ok(texts.iter().flatten().map(str::to_owned).collect())
}

/// Reads a 32-bit integer column.
///
/// # Errors
/// Returns an error if the column is missing, has another type, or contains nulls.
pub(crate) fn read_int32s(batch: &RecordBatch, name: &str) -> Result<Vec<i32>> {
    let values = column(batch, name)?.as_primitive_opt::<Int32Type>();
    Ok(values.context(format!("`{name}` is not int32"))?.values().to_vec())
}

/// Reads a 64-bit integer column.
///
/// # Errors
/// Returns an error if the column is missing, has another type, or contains nulls.
pub(crate) fn read_int64s(batch: &RecordBatch, name: &str) -> Result<Vec<i64>> {
    let values = column(batch, name)?.as_primitive_opt::<Int64Type>();
    Ok(values.context(format!("`{name}` is not int64"))?.values().to_vec())
}

/// Reads a column of booleans.
///
/// # Errors
/// Returns an error if the column is missing, has another type, or contains nulls.
pub(crate) fn read_bools(batch: &RecordBatch, name: &str) -> Result<Vec<bool>> {
    let values = column(batch, name)?.as_boolean_opt();
    Ok(values.context(format!("`{name}` is not bool"))?.iter().flatten().collect())
}

/// Reads a 64-bit float column.
///
/// # Errors
/// Returns an error if the column is missing, has another type, or contains nulls.
pub(crate) fn read_float64s(batch: &RecordBatch, name: &str) -> Result<Vec<f64>> {
    let values = column(batch, name)?.as_primitive_opt::<Float64Type>();
    Ok(values.context(format!("`{name}` is not float64"))?.values().to_vec())
}

/// Values of a column of vectors or lists, row after row, without copying.
///
/// # Errors
/// Returns an error if the column is missing, has another type, or contains nulls, or if its lists differ in length.
pub(crate) fn read_vectors<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a [f32]> {
    let column = column(batch, name)?;
    let (values, range) = if let Some(lists) = column.as_list_opt::<i32>() {
        let offsets = lists.value_offsets();
        let mut lengths = offsets.windows(2).map(|ends| ends[1] - ends[0]);
        let first = lengths.next();
        anyhow::ensure!(
            lengths.all(|length| Some(length) == first),
            "the lists of `{name}` differ in length"
        );
        (lists.values(), offsets[0] as usize..offsets[lists.len()] as usize)
    } else {
        let vectors = column.as_fixed_size_list_opt().context(format!("`{name}` is not a vector"))?;
        (vectors.values(), 0..vectors.values().len())
    };
    let values = values.as_primitive_opt::<Float32Type>();
    Ok(&values.context(format!("`{name}` is not float32"))?.values()[range])
}

/// Reads the encoded bytes of an image column.
///
/// # Errors
/// Returns an error if the column is missing, has another type, or contains nulls.
pub(crate) fn read_images<'a>(batch: &'a RecordBatch, name: &str) -> Result<Vec<&'a [u8]>> {
    let images = column(batch, name)?.as_struct_opt();
    let bytes = images.and_then(|s| s.column_by_name("bytes")).and_then(|b| b.as_binary_opt::<i32>());
    Ok(bytes.context(format!("`{name}` is not an image"))?.iter().flatten().collect())
}
