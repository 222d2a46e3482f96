//! Interactive scatter plot of a table; `page.js` draws it.

use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use callsheet_figures::data_uri::data_uri;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use maud::{Markup, PreEscaped, html};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::cells::{image, is_image, spread, text};
use super::picture::thumbnail;

/// Largest number of points that are drawn.
const MOST: u64 = 5000;
/// Longer side of the points' thumbnails, in pixels.
const SIDE: u32 = 64;

/// Scatter plot of the table at `path`, with a panel for each pair of columns `NAME_x` and `NAME_y`.
///
/// # Errors
/// Returns an error if the table cannot be read, or has no such pair of columns.
pub(super) fn scatter(path: &Path, title: &str) -> Result<Markup> {
    let (batches, total) = spread(path, MOST)?;
    let Some(first) = batches.first() else { return Ok(html! { p { "The table has no rows." } }) };
    let schema = first.schema();
    let (mut panels, mut colours, mut thumbnails) = (Vec::new(), Vec::new(), Value::Null);
    for field in schema.fields() {
        let (name, kind) = (field.name().as_str(), field.data_type());
        if let Some(panel) = name.strip_suffix("_x") {
            if schema.field_with_name(&format!("{panel}_y")).is_ok() {
                let [x, y] = ["x", "y"].map(|axis| numbers(&batches, &format!("{panel}_{axis}")));
                panels.push(json!({ "name": panel, "x": x, "y": y }));
            }
        } else if is_image(kind) {
            thumbnails = small(&batches, name);
        } else if !kind.is_nested() && !name.ends_with("_y") {
            // Integers count as names, e.g. of clusters.
            let number = kind.is_floating();
            let values = if number { numbers(&batches, name) } else { words(&batches, name) };
            colours.push(json!({ "name": name, "number": number, "values": values }));
        }
    }
    if panels.is_empty() {
        let help = "declare figure = \"scatter\" only for a table with columns NAME_x and NAME_y";
        return Err(Error::user_error(
            Code::Unsupported,
            format!("{} has no coordinates", path.display()),
            help,
        ));
    }
    // Text in the table must not end the script element.
    let data = json!({ "title": title, "panels": panels, "columns": colours, "thumbnails": thumbnails });
    let data = data.to_string().replace('<', "\\u003c");
    Ok(html! {
        div.scatter {
            script type="application/json" { (PreEscaped(data)) }
            noscript { "A script draws the points, but this browser does not run scripts." }
        }
        @if total > MOST { p.note { (MOST) " of " (total) " points, evenly spaced." } }
    })
}

/// Numbers with six significant digits, which suffice for a plot; null if a value is missing or not finite.
fn numbers(batches: &[RecordBatch], name: &str) -> Value {
    let of = |batch: &RecordBatch| {
        let column = batch.column_by_name(name).and_then(|column| cast(column, &DataType::Float64).ok());
        let column = column.map(|column| column.as_primitive::<Float64Type>().iter().collect::<Vec<_>>());
        column.unwrap_or_else(|| vec![None; batch.num_rows()])
    };
    let short = |value: f64| format!("{value:.5e}").parse::<f64>().ok().filter(|value| value.is_finite());
    batches.iter().flat_map(of).map(|value| json!(value.and_then(short))).collect()
}

fn words(batches: &[RecordBatch], name: &str) -> Value {
    let of = |batch: &RecordBatch| {
        let column = batch.column_by_name(name).cloned();
        (0..batch.num_rows()).map(move |row| json!(column.as_ref().map(|column| text(column, row))))
    };
    batches.iter().flat_map(of).collect()
}

/// Thumbnails as data URIs; null if a row has no readable picture.
fn small(batches: &[RecordBatch], name: &str) -> Value {
    let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    let one = |(batch, row): &(&RecordBatch, usize)| {
        let bytes = batch.column_by_name(name).and_then(|column| image(column, *row))?;
        thumbnail(bytes, SIDE).ok().map(|bytes| data_uri("image/jpeg", &bytes))
    };
    let small: Vec<Option<String>> = rows.collect::<Vec<_>>().par_iter().map(one).collect();
    json!(small)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float32Array, Int64Array};

    use super::*;

    #[test]
    fn coordinates_of_any_type_and_size_keep_their_digits() {
        let columns: [(&str, ArrayRef); 2] = [
            ("a_x", Arc::new(Int64Array::from(vec![Some(7), None]))),
            ("a_y", Arc::new(Float32Array::from(vec![1.5e-7, f32::NAN]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("a table");
        assert_eq!(numbers(std::slice::from_ref(&batch), "a_x"), json!([7.0, null]));
        assert_eq!(numbers(std::slice::from_ref(&batch), "a_y"), json!([1.5e-7, null]));
        assert_eq!(words(&[batch], "a_x"), json!(["7", "–"]));
    }
}
