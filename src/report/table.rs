//! Figure that shows a table.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use callsheet_worker::error::Result;
use maud::{Markup, html};

use super::cells::{NONE, is_image, spread, text};

/// Largest number of rows that are shown.
const MOST: u64 = 200;
/// Suffixes of the columns with the ends of an interval.
const ENDS: [&str; 2] = ["_low", "_high"];

/// Rows of the table at `path`. An interval follows its value; empty columns are left out.
///
/// # Errors
/// Returns an error if the table cannot be read.
pub(super) fn table(path: &Path) -> Result<Markup> {
    let (batches, total) = spread(path, MOST)?;
    let Some(first) = batches.first() else { return Ok(html! { p { "The table has no rows." } }) };
    let schema = first.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let end_of =
        |name: &str| ENDS.iter().any(|end| name.strip_suffix(end).is_some_and(|of| names.contains(&of)));
    let is = |name: &str, what: fn(&DataType) -> bool| {
        schema.field_with_name(name).is_ok_and(|field| what(field.data_type()))
    };
    let plain = |name: &str| is(name, |kind| !kind.is_nested() && !is_image(kind));
    let is_text = |name: &str| {
        is(name, |kind| matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View))
    };
    let says = |name: &str| {
        batches.iter().any(|batch| (0..batch.num_rows()).any(|row| value(batch, name, row).is_some()))
    };
    let shown: Vec<&str> =
        names.iter().copied().filter(|name| plain(name) && !end_of(name) && says(name)).collect();
    Ok(html! {
        div.wide tabindex="0" role="region" aria-label="table" {
            table {
                thead { tr { @for name in &shown { th.words[is_text(name)] scope="col" { (name.replace('_', " ")) } } } }
                tbody {
                    @for batch in &batches {
                        @for row in 0..batch.num_rows() {
                            tr { @for name in &shown { td.words[is_text(name)] { (cell(batch, name, row)) } } }
                        }
                    }
                }
            }
        }
        @if total > MOST { p.note { (MOST) " of " (total) " rows, evenly spaced." } }
    })
}

fn cell(batch: &RecordBatch, name: &str, row: usize) -> Markup {
    let ends = ENDS.map(|end| value(batch, &format!("{name}{end}"), row));
    html! {
        (value(batch, name, row).unwrap_or_else(|| NONE.to_owned()))
        @if let [Some(low), Some(high)] = ends { " " small { (low) " to " (high) } }
    }
}

/// Text of a row in a column; `None` if the column does not exist, or the cell is empty.
fn value(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    batch.column_by_name(name).map(|column| text(column, row)).filter(|text| text != NONE && !text.is_empty())
}
