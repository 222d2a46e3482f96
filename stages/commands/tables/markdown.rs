//! Table in Markdown.

use std::path::Path;

use anyhow::Result;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use callsheet_worker::error::suggest;
use callsheet_worker::user_error;
use toml::Value;

use super::block::Block;

/// Number of digits after the decimal point, unless the table states another.
const DIGITS: usize = 3;

/// Sign of a value that does not exist.
const NONE: &str = "-";

/// Lines of a table with the rows of a file.
///
/// # Errors
/// Returns an error if the file lacks a column, or has no row that the table shows.
pub(super) fn table(block: &Block, rows: &RecordBatch, path: &Path) -> Result<Vec<String>> {
    let mut shown: Vec<usize> = (0..rows.num_rows()).collect();
    for (name, wanted) in &block.filters {
        let found = values(column(rows, name, path)?)?;
        shown.retain(|row| wanted.contains(&found[*row]));
    }
    if shown.is_empty() {
        return Err(user_error(
            format!("`{}` has no row that the table in line {} shows", path.display(), block.line),
            "correct `where`, or the file",
        ));
    }
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); shown.len()];
    for name in &block.columns {
        let column = cells_of(rows, name, block.digits.get(name).copied().unwrap_or(DIGITS), path)?;
        cells.iter_mut().zip(&shown).for_each(|(line, row)| line.push(column[*row].clone()));
    }
    let titles = block.columns.iter().map(|name| escaped(block.titles.get(name).unwrap_or(name))).collect();
    let rule = block.columns.iter().map(|_| "---".to_owned()).collect();
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    Ok([titles, rule].into_iter().chain(cells).map(line).collect())
}

fn column<'a>(rows: &'a RecordBatch, name: &str, path: &Path) -> Result<&'a ArrayRef> {
    rows.column_by_name(name).ok_or_else(|| {
        let schema = rows.schema();
        let known = schema.fields().iter().map(|field| field.name().as_str());
        user_error(format!("`{}` has no column `{name}`", path.display()), suggest(name, known))
    })
}

/// Cells of a column, with the ends of an interval if the file has them.
fn cells_of(rows: &RecordBatch, name: &str, digits: usize, path: &Path) -> Result<Vec<String>> {
    let found = texts(&values(column(rows, name, path)?)?, digits);
    let ends = ["low", "high"].map(|end| rows.column_by_name(&format!("{name}_{end}")));
    let [Some(low), Some(high)] = ends else { return Ok(found) };
    let (low, high) = (texts(&values(low)?, digits), texts(&values(high)?, digits));
    let cell = |((value, low), high): ((String, String), String)| {
        if [&value, &low, &high].contains(&&NONE.to_owned()) {
            value
        } else {
            format!("{value} ({low} to {high})")
        }
    };
    Ok(found.into_iter().zip(low).zip(high).map(cell).collect())
}

/// Values of a column. NaN stands for a value that does not exist.
fn values(column: &ArrayRef) -> Result<Vec<Value>> {
    let missing = Value::Float(f64::NAN);
    let value = |row: usize| -> Result<Value> {
        Ok(match column.data_type() {
            _ if column.is_null(row) => missing.clone(),
            DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
            kind if kind.is_floating() => Value::Float(
                cast(&column.slice(row, 1), &DataType::Float64)?.as_primitive::<Float64Type>().value(0),
            ),
            kind if kind.is_integer() => {
                let text = array_value_to_string(column, row)?;
                text.parse().map_or_else(|_| Value::String(text), Value::Integer)
            }
            _ => Value::String(array_value_to_string(column, row)?),
        })
    };
    (0..column.len()).map(value).collect()
}

fn texts(values: &[Value], digits: usize) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Float(value) if value.is_nan() => NONE.to_owned(),
        Value::Float(value) if value.is_infinite() => if *value > 0.0 { "∞" } else { "-∞" }.to_owned(),
        Value::Float(value) => {
            let text = format!("{value:.digits$}");
            // Rounded to zero.
            if text.trim_matches(['-', '0', '.']).is_empty() { text.replace('-', "") } else { text }
        }
        Value::Boolean(value) => if *value { "yes" } else { "no" }.to_owned(),
        Value::String(text) => escaped(text),
        other => other.to_string(),
    };
    values.iter().map(text).collect()
}

/// Text in a cell. A bar would end the cell, a line break the row.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ")
}
