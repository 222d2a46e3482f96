//! Rows of a table and their text in a page.

use std::path::Path;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::util::display::array_value_to_string;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table::{Rows, gather, image_type, part_files, read_batches, row_count, with_offsets};
use parquet::errors::ParquetError;

use callsheet_figures::label::number;

/// Number of rows that are read at once.
const BATCH: usize = 64;

/// Returns up to `count` rows of a table, evenly spaced, and the total number of rows.
///
/// # Errors
/// Returns an error if the table cannot be read.
pub(super) fn spread(path: &Path, count: u64) -> Result<(Vec<RecordBatch>, u64)> {
    let total = row_count(path)?;
    let chosen: Vec<u64> = (0..count.min(total)).map(|n| n * total / count.min(total)).collect();
    let mut batches = Vec::new();
    let mut keep = |batch| -> Result<()> {
        let batch = with_offsets(batch).map_err(ParquetError::from).io_context("cannot read", path)?;
        batches.push(batch);
        Ok(())
    };
    if let [file] = &part_files(path)?[..] {
        let order = vec![0; chosen.len()];
        gather(&[Rows { path: file, chosen: Some(chosen) }], &[], &order, BATCH, keep)?;
        return Ok((batches, total));
    }
    let (mut at, mut chosen) = (0, chosen.into_iter().peekable());
    read_batches(path, &[], BATCH, |batch| {
        let wanted = (0..batch.num_rows() as u64).map(|row| chosen.next_if_eq(&(at + row)).is_some());
        let wanted: BooleanArray = wanted.map(Some).collect();
        at += batch.num_rows() as u64;
        let batch = filter_record_batch(&batch, &wanted).map_err(ParquetError::from);
        keep(batch.io_context("cannot read", path)?)
    })?;
    Ok((batches, total))
}

/// Returns true if a column contains images.
pub(super) fn is_image(kind: &DataType) -> bool {
    // Only the names of the fields count: other programs declare other nullability.
    matches!((kind, image_type()), (DataType::Struct(own), DataType::Struct(wanted))
        if own.iter().map(|field| field.name()).eq(wanted.iter().map(|field| field.name())))
}

/// Bytes of the image in a row; `None` if the row has no image.
pub(super) fn image(column: &dyn Array, row: usize) -> Option<&[u8]> {
    let bytes = column.as_struct_opt()?.column_by_name("bytes")?;
    let bytes = bytes.as_binary_opt::<i32>().filter(|bytes| bytes.is_valid(row))?;
    Some(bytes.value(row))
}

/// Text of a cell without a value.
pub(super) const NONE: &str = "–";

/// Text of a value for readers; [`NONE`] if the value is missing.
pub(super) fn text(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return NONE.to_owned();
    }
    match float(column, row) {
        Some(value) if value.is_nan() => NONE.to_owned(),
        Some(value) if value.is_infinite() => if value > 0.0 { "∞" } else { "−∞" }.to_owned(),
        Some(value) => number(value),
        None => array_value_to_string(column, row).unwrap_or_default(),
    }
}

/// Value of a row in a column of floats; `None` for other types.
fn float(column: &dyn Array, row: usize) -> Option<f64> {
    let wide = column.as_primitive_opt::<Float64Type>().map(|values| values.value(row));
    let narrow = column.as_primitive_opt::<Float32Type>();
    wide.or_else(|| narrow.map(|values| f64::from(values.value(row))))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn nan_and_null_have_a_placeholder_and_floats_have_few_digits() {
        let floats = Float64Array::from(vec![Some(23.704), Some(f64::NAN), Some(f64::INFINITY), None]);
        assert_eq!([0, 1, 2, 3].map(|row| text(&floats, row)), ["23.70", NONE, "∞", NONE]);
        assert_eq!(text(&Int64Array::from(vec![1_234_567]), 0), "1234567");
        assert_eq!(text(&StringArray::from(vec!["a <b>"]), 0), "a <b>");
    }
}
