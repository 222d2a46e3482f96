//! Page of an artifact: the rows of a table, as a table or as a grid of its images, or the content of a file.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use callsheet::declare::{ArtifactKind, Bytes};
use callsheet_worker::error::Result;
use callsheet_worker::table::IndexedTable;
use maud::{Markup, html};
use shell_words::quote;

use super::columns::{Cell, Columns};
use super::file::file;
use super::view::DataView;
use super::{command, page};
use crate::app::App;
use crate::artifact::Artifact;
use crate::select::Selection;

/// Number of rows on a page of the table, and of images on a page of the grid.
const ROWS: u64 = 50;
const IMAGES: u64 = 60;

/// Page of the output `output` of the stage instance `stage`.
///
/// # Errors
/// Returns an error if the artifact is unknown, or it cannot be read.
pub(crate) fn data(app: &App, stage: &str, output: &str, view: &DataView) -> Result<Markup> {
    let artifact = Artifact::find(app, stage, output)?;
    let object = &artifact.object;
    let content = match object.kind {
        ArtifactKind::Table => rows(&artifact, view)?,
        _ => file(&artifact)?,
    };
    let body = html! {
        h1 { (artifact.name()) }
        p.note {
            (object.kind.name()) @if let Some(rows) = object.rows { ", " (rows) " rows" }
            ", " (Bytes(object.size)) ", content " code { (object.content.short()) }
        }
        (content)
        (command(&app.command(&format!("show {}", quote(&artifact.name())))))
    };
    Ok(page(&artifact.name(), &body))
}

/// Selected rows of a table from the position in the address on.
fn rows(artifact: &Artifact, view: &DataView) -> Result<Markup> {
    let table = IndexedTable::open(&artifact.path)?;
    let columns = Columns::of(&table)?;
    let selection = Selection::parse(&view.conditions, &view.sort)?;
    let selected = if selection.is_all() { None } else { Some(selection.rows(&table, &columns.shown())?) };
    let is_grid = columns.image.is_some() && view.view != "table";
    let count = if is_grid { IMAGES } else { ROWS };
    let total = selected.as_ref().map_or(table.rows(), |rows| rows.len() as u64);
    let at = view.at.min(total.saturating_sub(1));
    let shown = at..(at + count).min(total);
    let positions: Vec<u64> = match &selected {
        Some(rows) => rows[shown.start as usize..shown.end as usize].to_vec(),
        None => shown.collect(),
    };
    // Without names, all columns would be read.
    let batch = match columns.shown()[..] {
        [] => RecordBatch::new_empty(Arc::new(Schema::empty())),
        ref shown => table.read_at(shown, &positions)?,
    };
    let cells = columns.cells(&batch, artifact, &positions);
    let view = DataView { view: if is_grid { "grid" } else { "table" }.to_owned(), at, ..view.clone() };
    Ok(html! {
        @if columns.image.is_some() {
            p { @for other in ["grid", "table"] {
                @if other == view.view { strong { (other) } " " } @else {
                    a href=(DataView { view: other.to_owned(), ..view.clone() }.address()) { (other) } " "
                }
            } }
        }
        (filter(&view))
        @if table.rows() == 0 { p { "The table has no rows." } }
        @else if total == 0 { p { "No row satisfies the conditions." } }
        @else {
            (pager("Pages, above the rows", &view, count, total))
            @if is_grid { (grid(&cells)) } @else { (columns.table(&cells, &view)) }
            (pager("Pages, below the rows", &view, count, total))
        }
    })
}

/// Field for conditions.
fn filter(view: &DataView) -> Markup {
    html! {
        form.filter role="search" {
            input type="hidden" name="view" value=(view.view);
            @if !view.sort.is_empty() { input type="hidden" name="sort" value=(view.sort); }
            label for="where" { "Rows where" }
            input #where name="where" value=(view.conditions) placeholder="psnr:..20, split:train" autocomplete="off";
            button { "Show" }
            @if !view.conditions.is_empty() || !view.sort.is_empty() {
                a href=(DataView { view: view.view.clone(), ..DataView::default() }.address()) { "all rows" }
            }
        }
    }
}

fn grid(rows: &[Vec<Cell>]) -> Markup {
    html! {
        div.grid { @for row in rows {
            figure {
                @for cell in row { @if let Cell::Image(address, alt) = cell {
                    a href=(address) { img src=(address) alt=(alt) loading="lazy"; }
                } }
                figcaption { @for cell in row.iter().take(4) { @if let Cell::Text(text) | Cell::Number(text, _) = cell { span { (text) } " " } } }
            }
        } }
    }
}

/// Links to the pages before and after.
fn pager(label: &str, view: &DataView, count: u64, total: u64) -> Markup {
    let link = |at: u64| DataView { at, ..view.clone() }.address();
    let last = (view.at + count).min(total);
    html! {
        nav.pager aria-label=(label) {
            @if view.at > 0 { a href=(link(view.at.saturating_sub(count))) rel="prev" { "← previous" } }
            span { "rows " (view.at + 1) "–" (last) " of " (total) }
            @if last < total { a href=(link(last)) rel="next" { "next →" } }
        }
    }
}
