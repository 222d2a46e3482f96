//! Figure that shows a table.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use callsheet_worker::error::Result;
use maud::{Markup, html};

use super::cells::{NONE, is_image, spread, text};

/// Largest number of rows that are shown.
const MOST: u64 = 200;
/// Number of characters above which a text is listed below the table.
const LONG: usize = 40;
/// Suffixes of the columns with the ends of an interval.
const ENDS: [&str; 2] = ["_low", "_high"];

/// Rows of the table at `path`. An interval follows its value; empty columns are left out. The texts of the columns in
/// `label` name a row together. A text that is equal in all rows, and long texts, are below the table.
///
/// # Errors
/// Returns an error if the table cannot be read.
pub(super) fn table(path: &Path, label: &[String]) -> Result<Markup> {
    let (batches, total) = spread(path, MOST)?;
    let Some(first) = batches.first() else { return Ok(html! { p { "The table has no rows." } }) };
    let columns = Columns::new(&batches, first, label);
    let mut notes = Notes::default();
    let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    let rows: Vec<Markup> = rows
        .map(|(batch, row)| {
            html! { tr {
                @if !label.is_empty() { th.words scope="row" { (name_of(batch, label, row)) } }
                @for name in &columns.shown {
                    td.words[columns.texts.contains(name)] { (notes.shortened(name, &columns, cell(batch, name, row), batch, row)) }
                }
            } }
        })
        .collect();
    Ok(html! {
        div.wide tabindex="0" role="region" aria-label="table" {
            table {
                thead { tr {
                    @if !label.is_empty() { th.words scope="col" { "name" } }
                    @for name in &columns.shown {
                        th.words[columns.texts.contains(name)] scope="col" { (name.replace('_', " ")) }
                    }
                } }
                tbody { @for row in &rows { (row) } }
            }
        }
        @if !notes.texts.is_empty() {
            ol.notes { @for text in &notes.texts { li { (text) } } }
        }
        @for (name, text) in &columns.constant { p.note { (name.replace('_', " ")) ": " (text) } }
        @if total > MOST { p.note { (MOST) " of " (total) " rows, evenly spaced." } }
    })
}

/// Columns of a table by the way in which they are shown.
struct Columns<'a> {
    /// Columns of the table, without those below.
    shown: Vec<&'a str>,
    /// Columns of texts.
    texts: BTreeSet<&'a str>,
    /// Columns with long texts.
    long: BTreeSet<&'a str>,
    /// Columns of texts in which all rows are equal, with the text.
    constant: Vec<(&'a str, String)>,
}

impl<'a> Columns<'a> {
    fn new(batches: &'a [RecordBatch], first: &'a RecordBatch, label: &[String]) -> Self {
        let schema = first.schema_ref();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let end_of =
            |name: &str| ENDS.iter().any(|end| name.strip_suffix(end).is_some_and(|of| names.contains(&of)));
        let kind = |name: &str| schema.field_with_name(name).map(|field| field.data_type()).ok();
        let plain = |name: &str| kind(name).is_some_and(|kind| !kind.is_nested() && !is_image(kind));
        let is_text = |name: &str| kind(name).is_some_and(|kind| *kind == DataType::Utf8);
        let values = |name: &'a str| {
            let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
            rows.map(move |(batch, row)| value(batch, name, row)).collect::<Vec<_>>()
        };
        let mut columns =
            Self { shown: Vec::new(), texts: BTreeSet::new(), long: BTreeSet::new(), constant: Vec::new() };
        let is_label = |name: &str| label.iter().any(|label| label == name);
        for name in names.iter().copied().filter(|name| plain(name) && !end_of(name) && !is_label(name)) {
            let values = values(name);
            if values.iter().all(Option::is_none) {
                continue;
            }
            if is_text(name) {
                columns.texts.insert(name);
                let equal = values.len() > 1 && values.iter().all(|value| *value == values[0]);
                if let Some(text) = values[0].clone().filter(|_| equal) {
                    columns.constant.push((name, text));
                    continue;
                }
                if values.iter().flatten().any(|text| text.chars().count() > LONG) {
                    columns.long.insert(name);
                }
            }
            columns.shown.push(name);
        }
        columns
    }
}

/// Long texts, which are listed below the table.
#[derive(Default)]
struct Notes {
    texts: Vec<String>,
}

impl Notes {
    /// Content of a cell, or the number of its note if its text is long.
    fn shortened(
        &mut self,
        name: &str,
        columns: &Columns,
        cell: Markup,
        batch: &RecordBatch,
        row: usize,
    ) -> Markup {
        let long =
            value(batch, name, row).filter(|text| columns.long.contains(name) && text.chars().count() > LONG);
        let Some(text) = long else { return cell };
        let at = self.texts.iter().position(|known| *known == text).unwrap_or_else(|| {
            self.texts.push(text.clone());
            self.texts.len() - 1
        });
        html! { span title=(text) { "note " (at + 1) } }
    }
}

/// Name of a row: the texts of its label columns.
fn name_of(batch: &RecordBatch, label: &[String], row: usize) -> String {
    let parts: Vec<String> = label.iter().filter_map(|name| value(batch, name, row)).collect();
    if parts.is_empty() { NONE.to_owned() } else { parts.join(", ") }
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
