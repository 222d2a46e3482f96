//! Overview: what a run would do, the latest runs, and the artifacts of the pipeline.

use callsheet::declare::Bytes;
use callsheet::impact::impact;
use callsheet::report::{HistoryEntry, RunState, latest_runs};
use callsheet::run::{StagePreview, State};
use callsheet::store::{StageState, Store};
use callsheet_figures::label::human_seconds;
use callsheet_worker::error::{Result, list};
use maud::{Markup, html};

use super::findings::findings;
use super::table::Column::{Number, Text};
use super::table::table;
use super::{began, command, page_with};
use crate::address::address;
use crate::app::{App, Planned, Workspace};
use crate::next_run::{rows_text, sentence};

/// Largest number of rows of a table on this page.
const MOST: usize = 50;

/// Page of the selected pipeline.
///
/// # Errors
/// Returns an error if the project, the pipeline or the store cannot be read.
pub(crate) fn overview(app: &App) -> Result<Markup> {
    let workspace = app.workspace()?;
    let planned = app.planned(&workspace, false)?;
    let target = &planned.plan.request.target;
    let title = target.to_string();
    let body = html! {
        h1 { (title) }
        p.note { (planned.plan.summary) }
        (next_run(app, &workspace, &planned))
        (findings(app))
        (runs(app, &workspace.store))
        (artifacts(app, &planned.stages))
    };
    Ok(page_with(&title, &body, &["overview.js"]))
}

/// Stages that would run, with their reasons, rows and seconds.
fn next_run(app: &App, workspace: &Workspace, Planned { plan, stages }: &Planned) -> Markup {
    let impact = impact(&workspace.store, &plan.request.target, stages);
    let open: Vec<&StagePreview> =
        stages.iter().filter(|stage| !matches!(stage.state, State::Cached { .. })).collect();
    let rows = html! {
        @for stage in open.iter().take(MOST) {
            tr {
                th scope="row" { (stage.stage) }
                td { (state(stage)) }
                td { (stage.lacks().unwrap_or_default().trim_start_matches("stale: ")) }
                td.number { (stage.compute.map(rows_text).unwrap_or_default()) }
            }
        }
    };
    html! {
        section aria-labelledby="next" {
            h2 #next { "Next run" }
            p.sentence #next-run { (sentence(&impact, stages)) }
            @if !open.is_empty() { (table("Stages that are not up to date", &[Text("stage"), Text("state"), Text("reason"), Number("rows")], &rows)) }
            (more(open.len()))
            (command(&app.command("plan")))
        }
    }
}

fn state(stage: &StagePreview) -> String {
    match &stage.state {
        State::Cached { .. } => "up to date".to_owned(),
        State::Run { .. } => "would run".to_owned(),
        State::Maybe { after, .. } => format!("may run, after {}", list(after.iter().map(String::as_str))),
        State::Fails { .. } => "cannot run".to_owned(),
    }
}

fn runs(app: &App, store: &Store) -> Markup {
    let runs = latest_runs(store, MOST);
    let rows = html! {
        @for HistoryEntry { run, state } in &runs {
            tr {
                th scope="row" { a href=(address(&["run", &run.id])) title=(run.id) { (began(&run.id)) } }
                td { span.state.(state) { (state) } }
                td { (run.target) @if !run.set.is_empty() { " " code { (run.set.join(" ")) } } }
                td.number { (run.stages.values().filter(|stage| stage.state == StageState::Ran).count()) }
                td.number { @if *state != RunState::Running { (human_seconds(run.seconds)) } }
            }
        }
    };
    html! {
        section aria-labelledby="runs" {
            h2 #runs { "Runs" }
            @if runs.is_empty() {
                p { "There are no runs yet: start one with " code { (app.command("run")) } "." }
            } @else {
                (table("Table of runs", &[Text("began"), Text("state"), Text("pipeline"), Number("stages that ran"), Number("duration")], &rows))
                (more(store.run_ids().len()))
                (command("callsheet runs"))
            }
        }
    }
}

fn artifacts(app: &App, stages: &[StagePreview]) -> Markup {
    let made: Vec<_> = stages
        .iter()
        .flat_map(|stage| stage.objects.iter().flatten().map(move |(name, object)| (stage, name, object)))
        .collect();
    let rows = html! {
        @for (stage, name, object) in &made {
            tr {
                th scope="row" { a href=(address(&["data", &stage.stage, name])) { (stage.stage) "." (name) } }
                td { (object.kind.name()) }
                td.number { (object.rows.map(|rows| rows.to_string()).unwrap_or_default()) }
                td.number { (Bytes(object.size)) }
            }
        }
    };
    html! {
        section aria-labelledby="artifacts" {
            h2 #artifacts { "Artifacts" }
            @if made.is_empty() {
                p { "No artifact is up to date: compute them with " code { (app.command("run")) } "." }
            } @else {
                (table("Table of artifacts", &[Text("artifact"), Text("kind"), Number("rows"), Number("size")], &rows))
                (command(&app.command("ls")))
            }
        }
    }
}

/// Line below a table that shows only its first rows.
fn more(count: usize) -> Markup {
    html! { @if count > MOST { p.note { "and " (count - MOST) " more" } } }
}
