//! Overview of a table, on one page.

use std::collections::BTreeMap;
use std::fmt::Write;

use miette::Result;
use polars::prelude::DataType;
use serde::Serialize;

use crate::footer::Part;
use crate::frame::short;
use crate::output::{Output, printable};
use crate::rows::{Chosen, count};
use crate::statistics::{Statistics, bars, of, type_name};
use crate::table::{Table, is_image};

/// Largest uncompressed size of a column of vectors, in bytes, whose statistics are computed without
/// `--full`.
const READ: u64 = 256 << 20;

#[derive(Serialize)]
struct Overview<'a> {
    table: &'a str,
    rows: u64,
    /// Number of rows that pass the filter, if there is a filter.
    chosen: Option<u64>,
    bytes: u64,
    row_groups: usize,
    parts: &'a [Part],
    based_on: &'a [String],
    made_by: &'a BTreeMap<String, String>,
    columns: Vec<Statistics>,
}

/// Prints the overview.
///
/// # Errors
/// Returns an error if a column cannot be read.
pub(crate) fn show(table: &Table, rows: &Chosen, full: bool, output: &Output) -> Result<()> {
    let sizes = table.sizes();
    let mut columns = Vec::new();
    for name in &rows.columns {
        let Some(kind) = table.schema.get(name.as_str()) else { continue };
        let (packed, plain) = sizes.get(name.as_str()).copied().unwrap_or_default();
        let wide = matches!(kind, DataType::Array(..) | DataType::List(_)) && plain > READ && !full;
        let mut found = match wide || is_image(kind) || *kind == DataType::Binary {
            true => Statistics { column: name.clone(), kind: type_name(kind), ..Statistics::default() },
            false => of(&rows.frame, name, kind)?,
        };
        found.bytes = packed;
        columns.push(found);
    }
    let chosen = rows.filtered().then(|| count(&rows.frame)).transpose()?;
    let none = BTreeMap::new();
    let overview = Overview {
        table: &table.name,
        rows: table.rows(),
        chosen,
        bytes: table.parts.iter().map(|part| part.bytes).sum(),
        row_groups: table.parts.iter().map(|part| part.row_groups).sum(),
        parts: &table.parts,
        based_on: &table.based_on,
        made_by: table.parts.first().map_or(&none, |part| &part.pairs),
        columns,
    };
    output.answer(text(&overview).trim_end(), &overview)
}

fn text(overview: &Overview) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| _ = writeln!(text, "{name:<12} {value}");
    line("table", overview.table.to_owned());
    let chosen =
        overview.chosen.map(|chosen| format!(", of which {chosen} pass the filter")).unwrap_or_default();
    line("rows", format!("{}{chosen}", overview.rows));
    let files = match overview.parts.len() {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    line("size", format!("{} in {files}, {} row groups", size(overview.bytes), overview.row_groups));
    for (name, title) in [
        ("stage", "stage"),
        ("stage_version", "version"),
        ("action_key", "action key"),
        ("parameters", "parameters"),
        ("parents", "inputs"),
        ("based_on", "based on"),
        ("key", "key"),
    ] {
        let actions: Vec<&String> = overview.parts.iter().filter_map(|part| part.pairs.get(name)).collect();
        let Some(value) = actions.first().filter(|value| !value.is_empty()) else { continue };
        let others = actions.iter().filter(|other| other != &value).count();
        let others =
            if others > 0 { format!(" (first file; it differs in {others} others)") } else { String::new() };
        line(title, format!("{value}{others}"));
    }
    if overview.made_by.is_empty() {
        line("origin", "unknown: the footer has no values of callsheet".to_owned());
    }
    let name = width(overview.columns.iter().map(|column| column.column.as_str()));
    let kind = width(overview.columns.iter().map(|column| column.kind.as_str()));
    let _ = writeln!(text);
    for column in &overview.columns {
        let facts = facts(column);
        let _ = writeln!(
            text,
            "{:<name$}  {:<kind$}  {:>9}  {facts}",
            column.column,
            column.kind,
            size(column.bytes)
        );
    }
    text
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(str::len).max().unwrap_or(0)
}

/// Text of a column's statistics: `2 nulls, 0 to 5, mean 2 ± 1, median 2, |▁█▂|`.
fn facts(column: &Statistics) -> String {
    let mut facts = Vec::new();
    match column.nulls {
        Some(0) => {}
        Some(nulls) => facts.push(format!("{nulls} nulls")),
        None if vector_name(&column.kind) => facts.push("not read; use --full".to_owned()),
        None => {}
    }
    if column.not_finite > 0 {
        facts.push(format!("{} NaN or infinite", column.not_finite));
    }
    if let Some(moments) = &column.moments {
        let [min, max, mean, deviation, median] =
            [moments.min, moments.max, moments.mean, moments.deviation, moments.q50].map(short);
        facts.push(format!("{min} to {max}, mean {mean} ± {deviation}, median {median}"));
        facts.push(format!("|{}|", bars(&column.histogram)));
    } else if !column.most.is_empty() {
        let most = column.most.iter().map(|(value, count)| format!("{} {count}", printable(value)));
        facts.push(most.collect::<Vec<_>>().join(", "));
    } else if let (Some(first), Some(last)) = (&column.first, &column.last) {
        let distinct = column.distinct.map(|distinct| format!("{distinct} distinct, ")).unwrap_or_default();
        facts.push(format!("{distinct}`{}` to `{}`", printable(first), printable(last)));
    }
    facts.join(", ")
}

fn vector_name(kind: &str) -> bool {
    kind.ends_with(']') || kind.starts_with("list<")
}

/// Readable text of a size in bytes.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["B", "KB", "MB", "GB", "TB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1000.0 && unit + 1 < units.len() {
        amount /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{amount:.1} {}", units[unit]) }
}
