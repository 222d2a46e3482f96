//! Invalid values in a column: the positions of their rows, and the values.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use callsheet_worker::table::{as_text, type_name};

use crate::declare::Bounds;

/// Positions of invalid rows, each with a description of its value.
pub(super) type Faults = Result<Vec<(usize, String)>, ArrowError>;

/// Returns a value as text, or `null`.
pub(super) fn value(column: &ArrayRef, row: usize) -> String {
    let text = as_text(&column.slice(row, 1));
    text.ok()
        .filter(|text| text.is_valid(0))
        .map_or("null".into(), |t| t.as_string::<i32>().value(0).to_owned())
}

/// Finds rows that are null, or that contain a null in a vector, list or struct.
pub(super) fn nulls(column: &ArrayRef) -> Vec<(usize, String)> {
    let own = |array: &ArrayRef| match array.logical_nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            (0..array.len()).filter(|row| nulls.is_null(*row)).map(|row| (row, "null".to_owned())).collect()
        }
        _ => Vec::new(),
    };
    rows(column, &own)
}

/// Finds rows of floats, or of vectors, lists or structs of floats, that contain NaN or an infinity.
pub(super) fn not_finite(column: &ArrayRef) -> Faults {
    let own = |array: &ArrayRef| {
        if !array.data_type().is_floating() {
            return Vec::new();
        }
        let Ok(floats) = cast(array, &DataType::Float64) else { return Vec::new() };
        let floats = floats.as_primitive::<Float64Type>();
        let strange = |(row, number): (usize, Option<f64>)| {
            number.filter(|number| !number.is_finite()).map(|number| (row, number.to_string()))
        };
        floats.iter().enumerate().filter_map(strange).collect()
    };
    Ok(rows(column, &own))
}

/// Returns the faults that `own` finds in an array and in its nested arrays, by row of the array; at most one
/// per row.
fn rows(array: &ArrayRef, own: &dyn Fn(&ArrayRef) -> Vec<(usize, String)>) -> Vec<(usize, String)> {
    let mut found = own(array);
    match array.data_type() {
        DataType::FixedSizeList(_, length) => {
            let (lists, length) = (array.as_fixed_size_list(), *length as usize);
            let values = lists.values().slice(lists.value_offset_at(0), lists.len() * length);
            found.extend(rows(&values, own).into_iter().map(|(at, what)| (at / length.max(1), what)));
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let (first, last) = (lists.offsets()[0] as usize, lists.offsets()[lists.len()] as usize);
            let row = |at: usize| lists.offsets().partition_point(|end| *end as usize <= first + at) - 1;
            let inside = rows(&lists.values().slice(first, last - first), own);
            found.extend(inside.into_iter().map(|(at, what)| (row(at), what)));
        }
        DataType::Struct(_) => {
            found.extend(array.as_struct().columns().iter().flat_map(|column| rows(column, own)));
        }
        _ => {}
    }
    // Values that are nested in a null are not part of the table.
    found.retain(|(row, what)| array.is_valid(*row) || what == "null");
    found.sort_by_key(|(row, _)| *row);
    found.dedup_by_key(|(row, _)| *row);
    found
}

/// Finds rows whose number is out of bounds; a null is within any bounds.
///
/// # Errors
/// Returns an error if the column does not contain numbers.
pub(super) fn out_of_range(column: &ArrayRef, bounds: &Bounds) -> Faults {
    if !column.data_type().is_numeric() {
        let message = format!("a column of type {} has no range", type_name(column.data_type()));
        return Err(ArrowError::InvalidArgumentError(message));
    }
    let numbers = cast(column, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let outside = |number: f64| {
        let low = bounds.min.filter(|min| number.is_nan() || number < *min);
        let high = bounds.max.filter(|max| number.is_nan() || number > *max);
        match (low, high) {
            (Some(min), _) => Some(format!("{number}, but the minimum is {min}")),
            (_, Some(max)) => Some(format!("{number}, but the maximum is {max}")),
            _ => None,
        }
    };
    let rows = numbers.iter().enumerate();
    Ok(rows.filter_map(|(row, number)| Some((row, outside(number?)?))).collect())
}

/// Finds rows whose value is not one of the allowed values; a null is always allowed.
///
/// # Errors
/// Returns an error if the values cannot be converted to text.
pub(super) fn not_allowed(column: &ArrayRef, allowed: &[serde_json::Value]) -> Faults {
    let plain = |value: &serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let names: Vec<String> = allowed.iter().map(plain).collect();
    let numbers: Vec<f64> = allowed.iter().filter_map(serde_json::Value::as_f64).collect();
    let numeric = column.data_type().is_numeric();
    let texts = as_text(column)?;
    let texts = texts.as_string::<i32>();
    let strange = |(row, text): (usize, Option<&str>)| {
        let text = text?;
        let known = match text.parse::<f64>() {
            Ok(number) if numeric => numbers.contains(&number),
            _ => names.iter().any(|value| value == text),
        };
        (!known).then(|| (row, format!("`{text}`, not one of the allowed values {}", names.join(", "))))
    };
    Ok(texts.iter().enumerate().filter_map(strange).collect())
}
