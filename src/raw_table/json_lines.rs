//! JSON lines: one object per line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table::{Json, read_json};
use serde_json::{Map, Value};

use super::kinds::{Kind, Kinds};
use super::raw_file::{RawFile, check_declared, malformed};

/// Returns the columns of files of JSON lines, in the order of their first use.
///
/// # Errors
/// Returns an error if a line is not an object, or a column has mixed types.
pub(super) fn schema(files: &[RawFile], columns: &BTreeMap<String, String>) -> Result<SchemaRef> {
    let mut kinds = Kinds::default();
    let mut names: Vec<String> = Vec::new();
    for file in files {
        let reader = BufReader::new(File::open(&file.path).io_context("cannot open", &file.path)?);
        for (line, text) in (1_u64..).zip(reader.lines()) {
            let text = text.io_context("cannot read", &file.path)?;
            if text.trim().is_empty() {
                continue;
            }
            let text = if line == 1 { text.trim_start_matches('\u{feff}') } else { text.as_str() };
            let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
                let problem = format!("line {line} is not a JSON object: {error}");
                malformed(file, &problem, "write one object per line, e.g. {\"order_id\": 1, \"price\": 2.5}")
            })?;
            for (name, value) in object {
                if !names.contains(&name) {
                    names.push(name.clone());
                }
                if !columns.contains_key(&name)
                    && let Some(kind) = kind_of(&value).map_err(|what| nested(file, &name, line, what))?
                {
                    kinds.add(&name, kind, line, &value.to_string());
                }
            }
        }
    }
    let Some(first) = files.first() else { return Ok(Arc::new(Schema::empty())) };
    if names.is_empty() {
        return Err(malformed(first, "the file has no rows", "write one object per line"));
    }
    check_declared(first, columns, names.iter().map(String::as_str))?;
    kinds.schema(first, &names, columns, false)
}

/// Calls `write` with the rows of a file.
///
/// # Errors
/// Returns an error if a value is not of its column's type, or `write` fails.
pub(super) fn read(
    file: &RawFile,
    schema: &SchemaRef,
    write: &mut impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    read_json(&file.path, schema, Json { whole: true, texts: true }, write)
}

/// Returns the type of a value; `None` for null.
///
/// # Errors
/// Returns the reason if a column cannot contain the value.
fn kind_of(value: &Value) -> Result<Option<Kind>, &'static str> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(_) => Kind::Bool,
        Value::Number(number) => match number.as_i64() {
            Some(number) => Kind::of_integer(number),
            None if number.is_u64() => return Err("above the largest 64-bit integer"),
            None => Kind::Float,
        },
        Value::String(_) => Kind::Text,
        Value::Array(items) => {
            let kinds = items.iter().map(kind_of).collect::<Result<Vec<_>, _>>()?;
            Kind::of_items(kinds.into_iter().flatten()).ok_or("a list with items of several types")?
        }
        Value::Object(_) => return Err("an object"),
    }))
}

fn nested(file: &RawFile, name: &str, line: u64, what: &str) -> callsheet_worker::error::Error {
    let problem = format!("`{name}` in line {line} is {what}, which a column cannot contain");
    malformed(
        file,
        &problem,
        "write values that a column can contain, or each of them as a column of its own",
    )
}
