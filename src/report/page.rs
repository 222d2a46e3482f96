//! Page of a report: stages, inputs and results.

use std::collections::BTreeSet;

use callsheet_figures::data_uri::source_of;
use callsheet_figures::label::{counted, human_seconds, letter, number};
use callsheet_worker::report::Section;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::changes::changes;
use super::command::command;
use super::figures::figures;
use super::graph::{MOST, graph};
use super::lead;
use super::sections::sections;
use super::subject::{Done, Subject};
use crate::declare::{Bytes, OutputDecl};
use crate::metrics::{Chart, Curves, charts, thinned};
use crate::store::{RunRecord, StageState, Store};

/// Colours, tables and other styles of a report.
pub const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Largest number of values of a curve that are drawn.
const VALUES: usize = 300;

/// Content security policy: the page fetches nothing, and only its own script runs.
fn policy() -> String {
    let script = source_of(SCRIPT);
    format!(
        "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src {script}; \
         base-uri 'none'; form-action 'none'"
    )
}

/// Page of one run, or of several side by side; `more` are the sections of the project's commands.
pub(super) fn page(store: &Store, subjects: &[Subject], more: &[Section]) -> String {
    let title = match subjects {
        [subject] => title(&subject.run),
        _ => "Comparison of runs".to_owned(),
    };
    let headlines = if let [subject] = subjects { lead::headlines(store, subject) } else { Vec::new() };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if let [subject] = subjects { meta name="callsheet-results" content=(mark(subject)); }
                meta http-equiv="Content-Security-Policy" content=(policy());
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    @for (n, subject) in subjects.iter().enumerate() {
                        (of_run(subject, (subjects.len() > 1).then(|| letter(n))))
                    }
                    (lead::sentence(&headlines))
                }
                main {
                    @if let [subject] = subjects { (lead::lead(store, subject, &headlines)) } @else { (changes(store, subjects)) }
                    h2 { "Figures" }
                    (figures(store, subjects))
                    (sections(more))
                    (curves(subjects))
                    @if let [subject] = subjects { (stages(subject)) }
                    (about(subjects))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

/// Digest of everything that the page of a run shows: its results, their declarations, and the program.
pub(super) fn mark(subject: &Subject) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{} {STYLE}", env!("CARGO_PKG_VERSION")).as_bytes());
    hasher.update(format!("{:?} {:?} {}", subject.summaries, subject.labels, subject.ended).as_bytes());
    hasher.update(format!("{:?}", subject.diverged).as_bytes());
    for stage in &subject.stages {
        let key = stage.record.as_ref().map(|record| record.key.digest().to_string());
        let shown = stage.decl.as_ref().map(|decl| {
            let output = |(name, output): (&String, &OutputDecl)| {
                format!("{name} {:?} {} {:?} {}", output.figure, output.lead, output.headline, output.doc)
            };
            decl.outputs.iter().map(output).collect::<String>()
        });
        hasher.update(format!("{} {} {key:?} {shown:?}", stage.name, stage.message).as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn title(run: &RunRecord) -> String {
    run.target.to_string()
}

/// Facts that a reader must know first: stand-ins, failures, and whether the run has ended.
fn of_run(subject: &Subject, letter: Option<String>) -> Markup {
    let Subject { run, ended, summaries, stages, .. } = subject;
    html! {
        section.run {
            @if let Some(letter) = letter { h2 { (letter) ": " (title(run)) } }
            @for summary in summaries { p.note { (summary) "." } }
            @for diverged in &subject.diverged { p.warn { (diverged) "." } }
            @if !subject.labels.is_empty() {
                p.warn { "Based on: " (subject.labels.iter().cloned().collect::<Vec<_>>().join(", ")) "." }
            }
            @if let Some(why) = &subject.unread {
                p.warn { "The pipeline cannot be read, so some facts about the run are missing: " (why) "." }
            }
            @if !ended { p.wrong role="alert" { "This run has not ended: it is still running, or it was killed." } }
            @for stage in stages.iter().filter(|stage| !stage.message.is_empty()) {
                p.wrong role="alert" { strong { (stage.name) } " failed: " (stage.message) }
            }
        }
    }
}

/// Facts about the runs at the end of the page: ids, states of stages, raw files and commands.
fn about(subjects: &[Subject]) -> Markup {
    html! {
        h2 { "About " @if subjects.len() > 1 { "these runs" } @else { "this run" } }
        @for (n, subject) in subjects.iter().enumerate() {
            @if subjects.len() > 1 { h3 { (letter(n)) ": " (title(&subject.run)) } }
            (facts(subject))
        }
    }
}

fn facts(subject: &Subject) -> Markup {
    let Subject { run, stages, .. } = subject;
    let states = |wanted: StageState| stages.iter().filter(|stage| stage.state == wanted).count();
    let states = StageState::ALL.map(|state| (state, states(state)));
    let states =
        states.into_iter().filter(|(_, count)| *count > 0).map(|(state, count)| format!("{count} {state}"));
    let records = stages.iter().filter_map(|stage| stage.record.as_ref());
    let files: BTreeSet<&String> = records.flat_map(|record| record.provenance.sources.keys()).collect();
    html! {
        dl {
            @if !run.id.is_empty() { dt { "run" } dd { (run.id) ", " (human_seconds(run.seconds)) } }
            dt { "stages" } dd { (states.collect::<Vec<_>>().join(", ")) }
            @if !files.is_empty() {
                dt { "raw files" }
                dd { (files.len()) ": " (files.iter().take(8).map(|f| f.as_str()).collect::<Vec<_>>().join(", "))
                    @if files.len() > 8 { ", .." } }
            }
            dt { "command" } dd { code { (command(run, &subject.asked)) } }
        }
    }
}

/// Graph of the stages, and a table of the stages.
fn stages(subject: &Subject) -> Markup {
    html! {
        h2 { "Stages" }
        details.graph-of-stages {
            summary { "Graph of the stages" }
            (graph(subject, MOST))
        }
        details {
            summary { (counted(subject.stages.len() as u64, "stage")) ", with parameters" }
            div.wide tabindex="0" role="region" aria-label="table" {
                table {
                    thead { tr { @for name in ["stage", "state", "duration", "memory", "action", "parameters"] {
                        th scope="col" { (name) }
                    } } }
                    tbody { @for (n, stage) in subject.stages.iter().enumerate() {
                        @let first = !subject.stages[..n].iter().any(|before| before.group() == stage.group());
                        (row(stage, first))
                    } }
                }
            }
        }
    }
}

/// Row of the table. A box of the graph links to the `first` of a stage's instances.
fn row(stage: &Done, first: bool) -> Markup {
    let made = stage.record.as_ref();
    let memory = made.and_then(|made| made.provenance.peak_memory).map(|bytes| Bytes(bytes).to_string());
    let params = made.into_iter().flat_map(|made| made.key.params.iter().chain(&made.key.budget));
    let params: Vec<String> = params.map(|(name, value)| format!("{name} = {value}")).collect();
    html! {
        tr {
            th scope="row" id=[first.then(|| stage.group())] { (stage.name) }
            td { (stage.state) }
            td { (made.map(|made| human_seconds(made.provenance.seconds)).unwrap_or_default()) }
            td { (memory.unwrap_or_default()) }
            td { code { (made.map(|made| made.key.digest().short()).unwrap_or_default()) } }
            td.text { (params.join(", ")) }
        }
    }
}

/// Curves of the metrics of all stages, one panel per name.
fn curves(subjects: &[Subject]) -> Markup {
    let thin = |subject: &Subject| -> Curves {
        let of_stage = |stage: &Done| Some((stage.name.clone(), subject.curves.get(&stage.name)?));
        let thin = |(stage, curves): (String, &std::collections::BTreeMap<String, _>)| {
            (stage, curves.iter().map(|(name, curve)| (name.clone(), thinned(curve, VALUES))).collect())
        };
        subject.stages.iter().filter_map(of_stage).map(thin).collect()
    };
    let found: Vec<(String, Curves)> =
        subjects.iter().enumerate().map(|(n, subject)| (letter(n), thin(subject))).collect();
    let charts = charts(&found);
    let (charts, single): (Vec<Chart>, Vec<Chart>) =
        charts.into_iter().partition(|chart| chart.series.iter().any(|series| series.curve.len() > 1));
    html! {
        @if !single.is_empty() {
            h2 { "Single values" }
            dl { @for chart in &single {
                dt { (chart.title) }
                dd { @for series in &chart.series {
                    @for value in series.curve.values() { (number(*value)) " " small { (series.name) } " " }
                } }
            } }
        }
        @if !charts.is_empty() {
            h2 { "Curves" }
            p.note { "Metrics of the stages by step. Long curves show means over several steps." }
            div.curves {
                @for chart in &charts {
                    @if let Ok(svg) = Chart::svg(std::slice::from_ref(chart), 1) {
                        div role="img" aria-label=(format!("{} by step", chart.title)) { (PreEscaped(svg)) }
                    }
                }
            }
        }
    }
}
