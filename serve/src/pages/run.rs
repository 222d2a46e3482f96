//! Page of a run: its state, the graph of its stages, and a table of them. A script updates both while the run goes on.

use callsheet::report::{Done, RunState, Subject, find_run, graph};
use callsheet::store::StageState;
use callsheet_figures::label::human_seconds;
use callsheet_worker::error::Result;
use maud::{Markup, html};

use super::table::Column::{Number, Text};
use super::table::table;
use super::{began, class, command, page_with};
use crate::address::address;
use crate::app::App;
use crate::live::last_position;

/// Largest number of stages that are drawn. A larger graph takes seconds to draw and cannot be read.
const MOST: usize = 600;

/// Page of the run that `name` identifies: its id, a prefix of it, `latest` or `latest~1`.
///
/// # Errors
/// Returns an error if the run is unknown.
pub(crate) fn run(app: &App, name: &str) -> Result<Markup> {
    let workspace = app.workspace()?;
    let entry = find_run(&workspace.store, name)?;
    let id = entry.run.id.clone();
    // Events that are written from now on may be missing on the page.
    let events = workspace.store.run_dir(&id).events();
    let at = last_position(&events);
    let subject = Subject::find(&workspace.project, &workspace.store, &id)?;
    let is_running = entry.state == RunState::Running;
    // The first event of the run, which names the target, may not be written yet.
    let target = Some(subject.run.target.to_string()).filter(|target| !target.is_empty());
    let title = target.as_deref().unwrap_or("Run");
    let body = html! {
        h1 { (title) }
        p { "Run of " time title=(id) { (began(&id)) } ": "
            strong.state.(entry.state) #run-state role="status" { (entry.state) }
            @if !is_running { ", " (human_seconds(subject.run.seconds)) } }
        @if !subject.run.set.is_empty() { p { "Options: " @for set in &subject.run.set { code { "--set " (set) } " " } } }
        @if entry.state == RunState::Killed {
            p.wrong role="alert" { "The process of this run ended before the run did. Start it again with "
                code { "callsheet run" } ": finished stages stay cached, and long ones resume." }
        }
        @for diverged in &subject.diverged { p.warn { (diverged) "." } }
        @for stage in subject.stages.iter().filter(|stage| !stage.message.is_empty()) {
            p.wrong role="alert" { a href=(stage_address(&id, &stage.name)) { (stage.name) } " failed: " (stage.message) }
        }
        @if is_running && subject.stages.is_empty() { p.note { "The run begins. Its stages are shown as soon as they are known." } }
        div #stages data-run=(id) data-at=(at) {
            details.graph-of-stages open {
                summary { "Graph" }
                (graph(&subject, MOST))
            }
            h2 { "Stages" }
            (stages(&id, &subject))
        }
        (command(&format!("callsheet report --run {id}")))
    };
    let scripts: &[&str] = if is_running { &["run.js"] } else { &[] };
    Ok(page_with(&format!("{} · {title}", entry.state), &body, scripts))
}

fn stages(id: &str, subject: &Subject) -> Markup {
    let rows = html! {
        @for (n, stage) in subject.stages.iter().enumerate() {
            // A box of the graph links to the first instance of its stage.
            @let first = !subject.stages[..n].iter().any(|before| before.group() == stage.group());
            tr id=[first.then(|| stage.group())] data-stage=(stage.name) {
                th scope="row" { a href=(stage_address(id, &stage.name)) { (stage.name) } }
                td { span.state.(class(stage.state)) { (stage.state) } }
                td.number.duration { (duration(stage)) }
                td.progress {}
            }
        }
    };
    table("Stages of the run", &[Text("stage"), Text("state"), Number("duration"), Text("progress")], &rows)
}

/// Seconds that a stage took in this run; empty if it did not run.
fn duration(stage: &Done) -> String {
    let record = stage.record.as_ref().filter(|_| stage.state == StageState::Ran);
    record.map(|record| human_seconds(record.provenance.seconds)).unwrap_or_default()
}

fn stage_address(run: &str, stage: &str) -> String {
    address(&["run", run, "stage", stage])
}
