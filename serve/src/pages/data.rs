//! Page of an artifact: the rows of a table, or the content of a file.

use callsheet::declare::{ArtifactKind, Bytes};
use callsheet_figures::label::counted;
use callsheet_worker::code::Code;
use callsheet_worker::error::Result;
use maud::{Markup, html};
use serde::Serialize;
use shell_words::quote;

use super::file::file;
use super::{command, page_with};
use crate::app::App;
use crate::artifact::{Artifact, Latest};
use crate::data::view;
use crate::tables::Column;
use crate::verdicts::read_now;
use crate::view::View;

/// Description of a table for the script of the page.
#[derive(Serialize)]
struct Description<'a> {
    /// Address of the page.
    address: String,
    version: String,
    rows: u32,
    columns: &'a [Column],
    /// Other tables whose columns are added, as the address has them.
    with: &'a str,
    /// Column whose values identify the rows for verdicts, if there is one.
    key: Option<&'a str>,
    /// True if the page can change verdicts.
    writes: bool,
}

/// Page of the output `output` of the stage instance `stage`.
///
/// # Errors
/// Returns an error if the artifact is unknown, or it cannot be read.
pub(crate) fn data(app: &App, stage: &str, output: &str, with: &str) -> Result<Markup> {
    let artifact = Latest::open(app)?.find(stage, output)?;
    let object = &artifact.object;
    let is_table = object.kind == ArtifactKind::Table;
    let content = if is_table { table(app, &artifact, with)? } else { file(&artifact)? };
    let body = html! {
        h1 { (artifact.name()) }
        p.note {
            (object.kind.name()) @if let Some(rows) = object.rows { ", " (counted(rows, "row")) }
            ", " (Bytes(object.size)) ", content " code { (object.content.short()) }
        }
        (content)
        (command(&app.command(&format!("show {}", quote(&artifact.name())))))
    };
    let scripts: &[&str] = if is_table { &["data/main.js"] } else { &[] };
    Ok(page_with(&artifact.name(), &body, scripts))
}

fn table(app: &App, artifact: &Artifact, with: &str) -> Result<Markup> {
    let view = view(app, (&artifact.stage, &artifact.output), with)?;
    // Without verdicts, the table is shown all the same.
    Ok(match read_now(app) {
        Ok(verdicts) => rows(app, artifact, &view.with_verdicts(verdicts), with),
        Err(error) if error.kind() == Code::Declaration => rows(app, artifact, &view, with),
        Err(error) => html! {
            p.warn role="alert" { "Verdicts cannot be shown: " (error) }
            (rows(app, artifact, &view, with))
        },
    })
}

/// Place of the rows, which the script of the page fills.
fn rows(app: &App, artifact: &Artifact, view: &View, with: &str) -> Markup {
    let description = Description {
        address: artifact.address(&[]),
        version: view.version(),
        rows: view.rows(),
        columns: &view.columns,
        with,
        key: view.key(),
        writes: app.writes,
    };
    let description = serde_json::to_string(&description).expect("texts and numbers");
    html! {
        @if view.rows() == 0 { p { "The table has no rows." } }
        @else {
            #data data-table=(description) {
                noscript { p.wrong { "The rows are shown by a script of this server. Allow scripts for this page." } }
            }
        }
    }
}
