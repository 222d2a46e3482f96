//! Names of column types in stage.toml and in errors.
//!
//! `string`, `bool`, `int32`, `int64`, `float32`, `float64`, `binary`, `list<T>`, `T[n]` (a vector with n
//! elements), `image` (a struct `bytes: binary, path: string`).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};

/// Name of an Arrow type. Encodings of one type have one name.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary".into(),
        DataType::Boolean => "bool".into(),
        DataType::Dictionary(_, values) => type_name(values),
        DataType::FixedSizeList(field, length) => {
            format!("{}[{length}]", type_name(field.data_type()))
        }
        DataType::List(field) | DataType::LargeList(field) => {
            format!("list<{}>", type_name(field.data_type()))
        }
        DataType::Struct(fields) => {
            let parts = fields.iter().map(|f| format!("{}: {}", f.name(), type_name(f.data_type())));
            let text = parts.collect::<Vec<_>>().join(", ");
            if text == "bytes: binary, path: string" { "image".into() } else { format!("struct<{text}>") }
        }
        other => other.to_string().to_lowercase(),
    }
}

/// Arrow type with which a column of this type is written; `None` if the name is unknown.
pub fn parse_type(name: &str) -> Option<DataType> {
    if let Some(item) = name.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
        return Some(DataType::List(Arc::new(Field::new("element", parse_type(item)?, false))));
    }
    if let Some((item, length)) = name.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        let length = length.parse().ok().filter(|length| *length > 0)?;
        return Some(vector_type(parse_type(item)?, length));
    }
    Some(match name {
        "string" => DataType::Utf8,
        "binary" => DataType::Binary,
        "bool" => DataType::Boolean,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "image" => image_type(),
        _ => return None,
    })
}

/// Arrow type of an image column, compatible with the Image feature of Hugging Face `datasets`.
pub fn image_type() -> DataType {
    let bytes = Field::new("bytes", DataType::Binary, true);
    DataType::Struct(Fields::from(vec![bytes, Field::new("path", DataType::Utf8, true)]))
}

/// Arrow field of an image column.
pub fn image_field(name: &str) -> Field {
    Field::new(name, image_type(), true)
}

/// Arrow type of a vector column with `length` elements per row.
pub fn vector_type(element: DataType, length: i32) -> DataType {
    DataType::FixedSizeList(Arc::new(Field::new("element", element, false)), length)
}
