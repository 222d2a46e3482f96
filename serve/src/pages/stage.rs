//! Page of a stage in a run: why it ran, its parameters and inputs, and its log.

use callsheet::event::{Event, LogLine, read_log};
use callsheet::explanation::compare;
use callsheet::metrics::{Chart, Curve, Curves, charts, thinned};
use callsheet::report::{Done, Subject};
use callsheet::store::{RunDir, StageState, Tail};
use callsheet_worker::error::Result;
use maud::{Markup, PreEscaped, html};
use shell_words::quote;

use super::table::Column::Text;
use super::table::table;
use super::{began, class, command, page_with};
use crate::address::address;
use crate::app::App;
use crate::run_stage::no_stage;
use crate::samples::samples;

/// Number of bytes of a log that the page shows.
const LOG_BYTES: u64 = 64 << 10;

/// Largest number of images that are shown.
const IMAGES: usize = 60;

/// Largest number of values of a curve that are drawn.
const VALUES: usize = 300;

/// Page of the stage instance `name` in a run.
///
/// # Errors
/// Returns an error if the run or the stage is unknown, or the log cannot be read.
pub(crate) fn stage(app: &App, run: &str, name: &str) -> Result<Markup> {
    let workspace = app.workspace()?;
    let subject = Subject::find(&workspace.project, &workspace.store, run)?;
    let found = subject.stages.iter().find(|stage| stage.name == name).ok_or_else(|| {
        no_stage(&subject.run.id, name, subject.stages.iter().map(|stage| stage.name.as_str()))
    })?;
    let id = &subject.run.id;
    let folder = workspace.store.run_dir(id);
    let body = html! {
        h1 { (name) }
        p { "Run of " a href=(address(&["run", id])) title=(id) { (began(id)) } ": " strong.state.(class(found.state)) { (found.state) } }
        @if let Some(decl) = &found.decl { p.note { (decl.summary) } }
        @if !found.message.is_empty() { p.wrong role="alert" { (found.message) } }
        (why(&folder, found))
        (curves(&subject, name))
        (images(&folder, id, name))
        (key(found))
        (log(&folder, &subject, name)?)
    };
    let scripts: &[&str] = if subject.ended { &[] } else { &["log.js"] };
    Ok(page_with(name, &body, scripts))
}

/// Reasons for which the stage ran, with old and new values.
fn why(folder: &RunDir, stage: &Done) -> Markup {
    let started = read_log(&folder.events(), |line| line.contains("\"event\":\"started\""));
    let reasons = started.filter_map(|LogLine { event, .. }| match event {
        Event::Started { stage: name, reasons, .. } if name == stage.name => Some(reasons),
        _ => None,
    });
    // A stage that was tried again has started several times, for one reason.
    let reasons = reasons.last();
    html! {
        section aria-labelledby="why" {
            h2 #why { "Why" }
            @match (&reasons, stage.state) {
                (Some(reasons), _) => ul { @for reason in reasons { li { (reason) } } },
                (None, StageState::Cached) => p { "It did not run: its result was in the store." },
                (None, _) => p { "It did not run." },
            }
        }
    }
}

/// Parts of the key of the result: parameters, inputs and code.
fn key(stage: &Done) -> Markup {
    let parts = compare(None, stage.record.as_ref().map(|record| &record.key));
    let rows = html! {
        @for part in &parts {
            tr { th scope="row" { (part.name) } td { code { (part.current.as_deref().unwrap_or_default()) } } }
        }
    };
    html! {
        @if !parts.is_empty() {
            section aria-labelledby="key" {
                h2 #key { "Parameters and inputs" }
                (table("Parts of the action key", &[Text("part"), Text("value")], &rows))
            }
        }
    }
}

/// Metrics that the stage reported, by step.
fn curves(subject: &Subject, name: &str) -> Markup {
    let thin = |(metric, curve): (&String, &Curve)| (metric.clone(), thinned(curve, VALUES));
    let curves = subject.curves.get(name).into_iter().flatten().map(thin).collect();
    let charts = charts(&[(String::new(), Curves::from([(name.to_owned(), curves)]))]);
    html! {
        @if !charts.is_empty() {
            section aria-labelledby="curves" {
                h2 #curves { "Curves" }
                div.curves { @for chart in &charts {
                    @if let Ok(svg) = Chart::svg(std::slice::from_ref(chart), 1) {
                        div role="img" aria-label=(format!("{} by step", chart.title)) { (PreEscaped(svg)) }
                    }
                } }
                (command(&format!("callsheet metrics {} --stage {}", subject.run.id, quote(name))))
            }
        }
    }
}

/// Images that the stage reported, the latest step of each series first.
fn images(folder: &RunDir, run: &str, name: &str) -> Markup {
    let samples = samples(folder, name);
    html! {
        @if !samples.is_empty() {
            section aria-labelledby="samples" {
                h2 #samples { "Samples" }
                div.samples { @for sample in samples.iter().rev().take(IMAGES) {
                    @let address = address(&["run", run, "stage", name, "sample", &sample.file]);
                    figure {
                        a href=(address) { img src=(address) alt=(format!("{}, step {}", sample.name, sample.step)) loading="lazy"; }
                        figcaption { (sample.name) ", step " (sample.step) }
                    }
                } }
            }
        }
    }
}

fn log(folder: &RunDir, subject: &Subject, name: &str) -> Result<Markup> {
    let path = folder.log(name);
    let mut tail = Tail::near_end(&path, LOG_BYTES)?;
    let is_whole = tail == Tail::near_end(&path, u64::MAX)?;
    let bytes = tail.read(&path, u64::MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let address = address(&["run", &subject.run.id, "stage", name, "log"]);
    Ok(html! {
        section aria-labelledby="log" {
            h2 #log { "Log" }
            @if bytes.is_empty() && subject.ended { p { "The worker wrote nothing to stdout and stderr." } }
            @if !is_whole { p.note { "The end of the log; " a href=(address) { "the whole log" } "." } }
            pre #log-text tabindex="0" aria-label="Log" data-log=(address) data-at=(tail.to_string()) { (text) }
            (command(&format!("callsheet logs {} --run {}", quote(name), subject.run.id)))
        }
    })
}
