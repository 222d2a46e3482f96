//! Keys of rows: texts and integers.

use std::fmt;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type};
use serde::{Deserialize, Serialize};

/// Key of a row. Integers of all types are equal if their values are, and precede texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(untagged)]
pub enum RowKey {
    /// Value of an integer column.
    Number(i64),
    /// Value of a text column.
    Text(String),
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Reads a column of keys; `None` for a null.
///
/// # Errors
/// Returns a description of the column, such as `is float64`, if it contains neither texts nor integers, or an integer
/// that does not fit into 64 bits with a sign.
pub fn row_keys(column: &ArrayRef) -> Result<Vec<Option<RowKey>>, String> {
    let kind = super::type_name(column.data_type());
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let as_kind = |to| cast_with_options(column, &to, &strict).map_err(|error| format!("is {kind}: {error}"));
    if column.data_type().is_integer() {
        let numbers = as_kind(DataType::Int64)?;
        return Ok(numbers.as_primitive::<Int64Type>().iter().map(|key| key.map(RowKey::Number)).collect());
    }
    if kind != "string" {
        return Err(format!("is {kind}, neither text nor an integer"));
    }
    let texts = as_kind(DataType::Utf8)?;
    Ok(texts.as_string::<i32>().iter().map(|key| key.map(|text| RowKey::Text(text.to_owned()))).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, Int8Array, StringArray, UInt64Array};

    use super::*;

    #[test]
    fn texts_and_integers_are_keys_and_sort_by_value() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("10"), None, Some("9")]));
        let text = |text: &str| Some(RowKey::Text(text.to_owned()));
        assert_eq!(row_keys(&texts), Ok(vec![text("10"), None, text("9")]));
        let numbers: ArrayRef = Arc::new(Int8Array::from(vec![10, -9]));
        assert_eq!(row_keys(&numbers), Ok(vec![Some(RowKey::Number(10)), Some(RowKey::Number(-9))]));
        assert!(text("10") < text("9") && RowKey::Number(9) < RowKey::Number(10));
        let large: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        assert!(row_keys(&large).is_err_and(|error| error.starts_with("is uint64")));
        let floats: ArrayRef = Arc::new(Float32Array::from(vec![1.0]));
        assert_eq!(row_keys(&floats), Err("is float32, neither text nor an integer".to_owned()));
    }
}
