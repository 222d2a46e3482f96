//! Table in Markdown.

use std::path::Path;

use anyhow::Result;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use callsheet_worker::error::suggest;
use callsheet_worker::table::read_columns;
use callsheet_worker::user_error;

use super::block::Block;

/// Number of digits after the decimal point, unless the table states another.
const DIGITS: usize = 3;

/// Sign of a value that does not exist.
const NONE: &str = "-";

/// Text of a table on the page.
///
/// # Errors
/// Returns an error if the file cannot be read, or lacks a column.
pub(super) fn table(block: &Block, path: &Path) -> Result<String> {
    let rows = read_columns(path, &[])?;
    let mut shown: Vec<usize> = (0..rows.num_rows()).collect();
    for (name, values) in &block.filters {
        let column = column(&rows, name, path)?;
        let texts = texts(column, DIGITS)?;
        shown.retain(|row| values.contains(&texts[*row]));
    }
    if shown.is_empty() {
        return Err(user_error(
            format!("`{}` has no row that the table shows", path.display()),
            "correct `where`, or the file",
        ));
    }
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); shown.len()];
    for name in &block.columns {
        let column = cells_of(&rows, name, block.digits.get(name).copied().unwrap_or(DIGITS), path)?;
        cells.iter_mut().zip(&shown).for_each(|(line, row)| line.push(column[*row].clone()));
    }
    let titles = block.columns.iter().map(|name| block.titles.get(name).unwrap_or(name).clone()).collect();
    let rule = block.columns.iter().map(|_| "---".to_owned()).collect();
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let lines: Vec<String> = [titles, rule].into_iter().chain(cells).map(line).collect();
    Ok(block.with(&lines))
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
    let values = texts(column(rows, name, path)?, digits)?;
    let ends = ["low", "high"].map(|end| rows.column_by_name(&format!("{name}_{end}")));
    let [Some(low), Some(high)] = ends else { return Ok(values) };
    let (low, high) = (texts(low, digits)?, texts(high, digits)?);
    let cell = |((value, low), high): ((String, String), String)| {
        if low == NONE || value == NONE { value } else { format!("{value} ({low} to {high})") }
    };
    Ok(values.into_iter().zip(low).zip(high).map(cell).collect())
}

/// Values as texts.
fn texts(column: &ArrayRef, digits: usize) -> Result<Vec<String>> {
    let number = |value: Option<f64>| match value {
        Some(value) if value.is_finite() => format!("{value:.digits$}"),
        _ => NONE.to_owned(),
    };
    let text = |row: usize| match column.is_null(row) {
        true => Ok(NONE.to_owned()),
        // A bar would end the cell, a line break the row.
        false => Ok(array_value_to_string(column, row)?.replace('|', "\\|").replace('\n', " ")),
    };
    match column.data_type() {
        DataType::Float64 => Ok(column.as_primitive::<Float64Type>().iter().map(number).collect()),
        DataType::Float32 => Ok(column
            .as_primitive::<Float32Type>()
            .iter()
            .map(|value| number(value.map(f64::from)))
            .collect()),
        DataType::Boolean => {
            let yes = |value: Option<bool>| value.map_or(NONE, |value| if value { "yes" } else { "no" });
            Ok(column.as_boolean().iter().map(|value| yes(value).to_owned()).collect())
        }
        _ => (0..column.len()).map(text).collect(),
    }
}
