//! JSON lines: one object per line.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Float32Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table::{JsonOptions, read_json};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::kinds::{Kind, Kinds, Place, toml_key};
use super::raw_file::{RawFile, check_declared, malformed};

/// Noun for integers that exceed 64 bits.
const TOO_LARGE: &str = "an integer outside the range of int64";

/// Returns the columns of files of JSON lines, in the order of their first use.
///
/// # Errors
/// Returns an error if a line is not an object, or a column has mixed types.
pub(super) fn schema(files: &[RawFile], columns: &BTreeMap<String, String>) -> Result<SchemaRef> {
    let mut kinds = Kinds::default();
    let (mut names, mut seen): (Vec<String>, HashSet<String>) = Default::default();
    for (position, file) in files.iter().enumerate() {
        let reader = BufReader::new(File::open(&file.path).io_context("cannot open", &file.path)?);
        for (line, text) in (1_u64..).zip(reader.lines()) {
            let text = text.io_context("cannot read", &file.path)?;
            if text.trim().is_empty() {
                continue;
            }
            let text = if line == 1 { text.trim_start_matches('\u{feff}') } else { text.as_str() };
            let Object(object) =
                serde_json::from_str(text).map_err(|error| not_an_object(file, line, &error))?;
            for (name, value) in object {
                if !seen.contains(&name) {
                    seen.insert(name.clone());
                    names.push(name.clone());
                }
                if columns.contains_key(&name) {
                    continue;
                }
                let kind = kind_of(&value).and_then(|kind| match kind {
                    Some(Kind::Float)
                        if value.as_f64().is_some_and(exceeds_int64) && has_long_integer(text) =>
                    {
                        Err(TOO_LARGE)
                    }
                    kind => Ok(kind),
                });
                if let Some(kind) = kind.map_err(|what| unfit(file, &name, line, what))? {
                    let text = || value.to_string();
                    kinds.add(&name, kind, || Place { file: (position, file.clone()), line, text: text() });
                }
            }
        }
    }
    let Some(first) = files.first() else { return Ok(Arc::new(Schema::empty())) };
    if names.is_empty() {
        return Err(malformed(first, "the file has no rows", "write one object per line"));
    }
    check_declared(first, columns, names.iter().map(String::as_str))?;
    kinds.schema(&names, columns, false)
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
    let mut before = 0;
    read_json(&file.path, schema, JsonOptions { whole: true, texts: true }, |rows| {
        check_range(file, &rows, before)?;
        before += rows.num_rows();
        write(rows)
    })
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
            None if number.is_u64() => return Err(TOO_LARGE),
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

/// Object whose keys have names and occur once: the parser would keep the last value of a key.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Object, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = pairs.next_entry::<String, Value>()? {
                    if name.is_empty() {
                        return Err(A::Error::custom("a key has no name"));
                    }
                    if object.contains_key(&name) {
                        return Err(A::Error::custom(format!("the key `{name}` occurs twice")));
                    }
                    object.insert(name, value);
                }
                Ok(Object(object))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

fn not_an_object(file: &RawFile, line: u64, error: &serde_json::Error) -> callsheet_worker::error::Error {
    // The parser sees one line, which it calls line 1.
    let reason = error.to_string();
    let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
    let problem = format!("line {line} is not a row: {reason}");
    malformed(file, &problem, "write one object per line, e.g. {\"order_id\": 1, \"price\": 2.5}")
}

/// Returns true for numbers that no int64 can be.
fn exceeds_int64(number: f64) -> bool {
    number.abs() >= 9_223_372_036_854_775_808.0
}

/// Returns true if a line has an integer of at least 19 digits outside of texts. The parser rounds those that exceed 64
/// bits to a float.
fn has_long_integer(line: &str) -> bool {
    let (mut in_text, mut escaped, mut number) = (false, false, String::new());
    for c in line.chars().chain([' ']) {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '0'..='9' | '.' | 'e' | 'E' | '+' | '-' => number.push(c),
            _ => {
                let digits = number.trim_start_matches('-');
                if digits.len() >= 19 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return true;
                }
                number.clear();
            }
        }
    }
    false
}

/// Refuses numbers that a column of type float32 cannot contain. `before` is the number of rows before these.
fn check_range(file: &RawFile, rows: &RecordBatch, before: usize) -> Result<()> {
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let Some(values) = column.as_primitive_opt::<Float32Type>() else { continue };
        if let Some(row) = values.iter().position(|value| value.is_some_and(f32::is_infinite)) {
            let problem = format!(
                "the value of `{}` in row {} exceeds the range of float32",
                field.name(),
                before + row + 1
            );
            return Err(malformed(file, &problem, "declare the type float64 in `columns` of the source"));
        }
    }
    Ok(())
}

/// Error of a value that a column of its type cannot contain.
fn unfit(file: &RawFile, name: &str, line: u64, what: &str) -> callsheet_worker::error::Error {
    let problem = format!("`{name}` in line {line} is {what}, which a column cannot contain");
    let help = match what {
        TOO_LARGE => format!(
            "declare the type under [sources.NAME] in the pipeline: columns.{} = \"string\"",
            toml_key(name)
        ),
        _ => "write values that a column can contain, or each of them as a column of its own".to_owned(),
    };
    malformed(file, &problem, help)
}
