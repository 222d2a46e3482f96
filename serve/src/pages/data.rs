//! Page of an artifact: the rows of a table, as a table or as a grid of its images, or the content of a file.

use callsheet::declare::{ArtifactKind, Bytes};
use callsheet_worker::error::Result;
use callsheet_worker::table::IndexedTable;
use maud::{Markup, html};
use serde::Deserialize;
use shell_words::quote;

use super::columns::{Cell, Columns};
use super::file::file;
use super::{command, page};
use crate::app::App;
use crate::artifact::Artifact;

/// Number of rows on a page of the table, and of images on a page of the grid.
const ROWS: u64 = 50;
const IMAGES: u64 = 60;

/// State of the page, which is in its address.
#[derive(Deserialize)]
pub(crate) struct DataView {
    /// `grid` or `table`; a table with images is shown as a grid if it is missing.
    #[serde(default)]
    view: String,
    /// Position of the first row, from 0.
    #[serde(default)]
    at: u64,
}

/// Page of the output `output` of the stage instance `stage`.
///
/// # Errors
/// Returns an error if there is no such artifact, or it cannot be read.
pub(crate) fn data(app: &App, stage: &str, output: &str, view: &DataView) -> Result<Markup> {
    let artifact = Artifact::find(app, stage, output)?;
    let object = &artifact.object;
    let content = match object.kind {
        ArtifactKind::Table => rows(&artifact, &format!("/data/{stage}/{output}"), view)?,
        _ => file(&artifact)?,
    };
    let body = html! {
        h1 { (artifact.name) }
        p.note {
            (object.kind.name()) @if let Some(rows) = object.rows { ", " (rows) " rows" }
            ", " (Bytes(object.size)) ", content " code { (object.content.short()) }
        }
        (content)
        (command(&app.command(&format!("show {}", quote(&artifact.name)))))
    };
    Ok(page(&artifact.name, &body))
}

/// Rows of a table from the position in the address on.
fn rows(artifact: &Artifact, address: &str, view: &DataView) -> Result<Markup> {
    let table = IndexedTable::open(&artifact.path)?;
    let columns = Columns::of(&table)?;
    let is_grid = columns.image.is_some() && view.view != "table";
    let count = if is_grid { IMAGES } else { ROWS };
    let total = table.rows();
    let at = view.at.min(total.saturating_sub(1));
    let batch = table.read(&columns.shown(), at, count)?;
    let cells = columns.cells(&batch, address, &artifact.object.bytes.short(), at);
    let shape = if is_grid { "grid" } else { "table" };
    Ok(html! {
        @if columns.image.is_some() {
            p { @for other in ["grid", "table"] {
                @if other == shape { strong { (other) } " " } @else { a href=(format!("?view={other}&at={at}")) { (other) } " " }
            } }
        }
        @if total == 0 { p { "The table has no rows." } } @else {
            (pager(shape, at, count, total))
            @if is_grid { (grid(&cells)) } @else { (columns.table(&cells)) }
            (pager(shape, at, count, total))
        }
    })
}

fn grid(rows: &[Vec<Cell>]) -> Markup {
    html! {
        div.grid { @for row in rows {
            figure {
                @for cell in row { @if let Cell::Image(address, alt) = cell {
                    a href=(address) { img src=(address) alt=(alt) loading="lazy"; }
                } }
                figcaption { @for cell in row.iter().take(4) { @if let Cell::Text(text) = cell { span { (text) } " " } } }
            }
        } }
    }
}

/// Links to the pages before and after, and a field for a position.
fn pager(view: &str, at: u64, count: u64, total: u64) -> Markup {
    let link = |at: u64| format!("?view={view}&at={at}");
    let last = (at + count).min(total);
    html! {
        nav.pager aria-label=(format!("Rows {} to {last}", at + 1)) {
            @if at > 0 { a href=(link(at.saturating_sub(count))) rel="prev" { "← previous" } }
            span { "rows " (at + 1) "–" (last) " of " (total) }
            @if last < total { a href=(link(last)) rel="next" { "next →" } }
        }
    }
}
