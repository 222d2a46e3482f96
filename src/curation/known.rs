//! Keys of the rows to which verdicts can refer.

use std::path::Path;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::table::{read_columns, schema, type_name};

/// Returns the keys of the rows of the table `name` in the file `path`.
pub(super) fn keys(path: &Path, column: &str, name: &str) -> Result<Vec<String>> {
    let columns = schema(path)?;
    let Ok(field) = columns.field_with_name(column) else {
        let known = columns.fields().iter().map(|field| field.name().as_str());
        let message = format!("table `{name}` has no column `{column}`, which `verdicts` declares as `key`");
        return Err(Error::user_error(Code::Declaration, message, suggest(column, known)));
    };
    let kind = type_name(field.data_type());
    if kind != "string" && !field.data_type().is_integer() {
        let message = format!("column `{column}` of table `{name}` has the type `{kind}`");
        return Err(Error::user_error(
            Code::Unsupported,
            message,
            "declare a column of texts or integers as the key of verdicts",
        ));
    }
    let rows = read_columns(path, &[column])?;
    let texts = cast(rows.column(0), &DataType::Utf8).expect("every string and integer becomes UTF-8");
    Ok(texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
}
