//! Plain encodings of columns. Programs write one type in several encodings: pandas writes text as
//! `large_string`, polars as `string_view`, and a categorical column is a dictionary. Readers of tables get
//! `Utf8`, `Binary` and `List` for all of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

/// Schema with every column in its plain encoding.
pub(super) fn plain_schema(schema: &SchemaRef) -> SchemaRef {
    converted(schema, plain)
}

/// Converts every column of a batch to its plain encoding.
///
/// # Errors
/// Returns an error if the values of a column do not fit into its plain encoding, which is limited to 2 GiB
/// per batch.
pub(super) fn plain_batch(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = plain_schema(batch.schema_ref());
    cast_batch(batch, schema)
}

/// Gives every time with a named zone, such as `UTC`, the offset `+00:00`. The instant stays the same. Arrow
/// needs it to convert times to text and JSON, because it does not know the names of zones.
///
/// # Errors
/// Returns an error if a column cannot be converted.
pub fn with_offsets(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = converted(batch.schema_ref(), offset);
    cast_batch(batch, schema)
}

/// Values of a column as text (`Utf8`).
///
/// # Errors
/// Returns an error if values of the column's type have no text.
pub fn as_text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    cast(&cast(column, &replaced(column.data_type(), offset))?, &DataType::Utf8)
}

fn cast_batch(batch: RecordBatch, schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
    if schema == *batch.schema_ref() {
        return Ok(batch);
    }
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

/// Replacement of a type; `None` if the type is replaced only inside.
type Replace = fn(&DataType) -> Option<DataType>;

fn plain(kind: &DataType) -> Option<DataType> {
    match kind {
        DataType::LargeUtf8 | DataType::Utf8View => Some(DataType::Utf8),
        DataType::LargeBinary | DataType::BinaryView => Some(DataType::Binary),
        DataType::Dictionary(_, values) => Some(replaced(values, plain)),
        DataType::LargeList(item) => Some(DataType::List(field(item, plain))),
        _ => None,
    }
}

fn offset(kind: &DataType) -> Option<DataType> {
    match kind {
        DataType::Timestamp(unit, Some(zone)) if !zone.starts_with(['+', '-']) => {
            Some(DataType::Timestamp(*unit, Some("+00:00".into())))
        }
        _ => None,
    }
}

fn converted(schema: &SchemaRef, replace: Replace) -> SchemaRef {
    let fields = fields(schema.fields(), replace);
    if fields == *schema.fields() {
        return schema.clone();
    }
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn fields(fields: &Fields, replace: Replace) -> Fields {
    fields.iter().map(|inner| field(inner, replace)).collect()
}

fn field(field: &FieldRef, replace: Replace) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(replaced(field.data_type(), replace)))
}

fn replaced(kind: &DataType, replace: Replace) -> DataType {
    replace(kind).unwrap_or_else(|| match kind {
        DataType::List(item) => DataType::List(field(item, replace)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(field(item, replace), *length),
        DataType::Struct(inner) => DataType::Struct(fields(inner, replace)),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray, StructArray, TimestampMicrosecondArray};
    use arrow::datatypes::Field;

    use super::*;

    fn cast_to(kind: &DataType) -> ArrayRef {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]));
        cast(&texts, kind).expect("cast")
    }

    fn dictionary(values: DataType) -> DataType {
        DataType::Dictionary(Box::new(DataType::UInt32), Box::new(values))
    }

    #[test]
    fn every_encoding_of_text_is_read_as_utf8_at_any_depth() {
        let kinds =
            [DataType::LargeUtf8, DataType::Utf8View, dictionary(DataType::LargeUtf8), DataType::Utf8];
        for kind in kinds {
            let texts = cast_to(&kind);
            let inner =
                StructArray::from(vec![(Arc::new(Field::new("t", kind.clone(), true)), texts.clone())]);
            let whole = RecordBatch::try_from_iter([("t", texts), ("s", Arc::new(inner) as ArrayRef)]);
            let plain = plain_batch(whole.expect("a batch")).expect("plain");
            let found: Vec<Option<&str>> = plain["t"].as_string::<i32>().iter().collect();
            assert_eq!(found, [Some("a"), None, Some("a")], "{kind}");
            assert_eq!(plain["s"].as_struct().column(0), &plain["t"], "{kind}");
        }
    }

    #[test]
    fn dictionaries_of_numbers_are_read_as_numbers() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7, 7, 8]));
        let encoded = cast(&numbers, &dictionary(DataType::Int64)).expect("cast");
        let plain = plain_batch(RecordBatch::try_from_iter([("n", encoded)]).expect("a batch"));
        assert_eq!(&plain.expect("plain")["n"], &numbers);
    }

    #[test]
    fn times_in_a_named_zone_have_a_text() {
        let times = TimestampMicrosecondArray::from(vec![0]);
        for zone in ["UTC", "Europe/Berlin", "+00:00"] {
            let text = as_text(&(Arc::new(times.clone().with_timezone(zone)) as ArrayRef)).expect("text");
            assert_eq!(text.as_string::<i32>().value(0), "1970-01-01T00:00:00Z");
        }
    }
}
