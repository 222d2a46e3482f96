//! Points in the plane as a figure that answers to the pointer; `page.js` draws it.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use super::cells::{float, image, is_image, spread, text};
use crate::error::{Error, Result};

/// Points drawn at most.
const MOST: u64 = 5000;

/// The points of the table at `path`: a panel for each pair of columns `NAME_x` and `NAME_y`.
///
/// # Errors
/// When it cannot be read, or has no such columns.
pub fn scatter(path: &Path, title: &str) -> Result<Markup> {
    let (batches, total) = spread(path, MOST)?;
    let Some(first) = batches.first() else { return Ok(html! { p { "It has no rows." } }) };
    let schema = first.schema();
    let (mut panels, mut colours, mut thumbnails) = (Vec::new(), Vec::new(), Value::Null);
    for field in schema.fields() {
        let (name, kind) = (field.name().as_str(), field.data_type());
        if let Some(panel) = name.strip_suffix("_x") {
            if schema.field_with_name(&format!("{panel}_y")).is_ok() {
                let [x, y] = ["x", "y"].map(|axis| column(&batches, &format!("{panel}_{axis}"), number));
                panels.push(json!({ "name": panel, "x": x, "y": y }));
            }
        } else if is_image(kind) {
            thumbnails = column(&batches, name, encoded);
        } else if !kind.is_nested() && !name.ends_with("_y") {
            let values = column(&batches, name, if kind.is_floating() { number } else { word });
            colours.push(json!({ "name": name, "number": kind.is_numeric() && *kind != DataType::Int32, "values": values }));
        }
    }
    if panels.is_empty() {
        let help = "figure = \"scatter\" is for a table with columns NAME_x and NAME_y";
        return Err(Error::refused(format!("{} has no coordinates", path.display()), help));
    }
    // Text of strangers must not end the script.
    let data = json!({ "title": title, "panels": panels, "columns": colours, "thumbnails": thumbnails });
    let data = data.to_string().replace('<', "\\u003c");
    Ok(html! {
        div.scatter {
            script type="application/json" { (PreEscaped(data)) }
            noscript { "Points are drawn by a script, which this browser does not run." }
        }
        @if total > MOST { p.note { (MOST) " of " (total) " points, evenly chosen." } }
    })
}

type Cell = fn(&RecordBatch, &str, usize) -> Value;

fn column(batches: &[RecordBatch], name: &str, cell: Cell) -> Value {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| cell(batch, name, row))).collect()
}

/// A number in as many digits as a picture shows; null where there is none.
fn number(batch: &RecordBatch, name: &str, row: usize) -> Value {
    let value = batch.column_by_name(name).and_then(|column| float(column, row));
    // To JSON, no number is null.
    value.map_or(Value::Null, |value| json!((value * 1e4).round() / 1e4))
}

fn word(batch: &RecordBatch, name: &str, row: usize) -> Value {
    batch.column_by_name(name).map_or(Value::Null, |column| json!(text(column, row)))
}

fn encoded(batch: &RecordBatch, name: &str, row: usize) -> Value {
    let bytes = batch.column_by_name(name).and_then(|column| image(column, row));
    bytes.map_or(Value::Null, |bytes| json!(STANDARD.encode(bytes)))
}
