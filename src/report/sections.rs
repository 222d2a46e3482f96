//! Sections that commands of the project add to the page.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use callsheet_worker::report::{Cell, Made, Run, Section, Sections, Stage, Table, VERSION};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::cells::NONE;
use super::subject::{Done, Subject};
use crate::declare::{Project, command};
use crate::store::{Provenance, Store};

/// Sections of a run, of every command that callsheet.toml declares with `report = true`. A command that fails has a
/// section that says why.
pub fn ask(project: &Project, store: &Store, subject: &Subject) -> Vec<Section> {
    let asked = project.commands.iter().filter(|(_, command)| command.report);
    let run = asked.clone().next().map(|_| described(store, subject));
    let sections = asked.map(|(name, command)| {
        answer(project, name, &command.program, run.as_ref()?)
            .map_or_else(|why| Some(failed(name, &why)), Some)
    });
    sections.flatten().flatten().collect()
}

fn failed(name: &str, why: &str) -> Vec<Section> {
    let notes = vec![format!("The command `{name}` of this project failed: {why}")];
    vec![Section { title: name.to_owned(), notes, tables: Vec::new() }]
}

fn answer(project: &Project, name: &str, program: &str, run: &Run) -> Result<Vec<Section>, String> {
    let mut command = command(Some(project), program).map_err(|error| error.to_string())?;
    command.args([name, "--json", "-"]).current_dir(&project.root);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let text = serde_json::to_vec(run).expect("plain data");
    // One that does not read it says why on stderr.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(&text));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("it ended with {}: {}", output.status, said.trim()));
    }
    let answer: Sections =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("its answer: {error}"))?;
    if answer.version != VERSION {
        return Err(format!("its answer has version {}, not {VERSION}", answer.version));
    }
    Ok(answer.sections)
}

/// A run as commands are told of it.
pub fn described(store: &Store, subject: &Subject) -> Run {
    let run = &subject.run;
    let name = |position: &usize| subject.stages[*position].name.clone();
    let stages = subject.stages.iter().enumerate().map(|(position, stage)| Stage {
        name: stage.name.clone(),
        values: stage.values.clone(),
        state: stage.state.clone(),
        reads: subject.edges.iter().filter(|(_, to)| *to == position).map(|(from, _)| name(from)).collect(),
        made: made(store, subject, stage),
    });
    Run {
        version: VERSION,
        id: run.id.clone(),
        pipeline: run.pipeline.clone(),
        dataset: run.dataset.clone(),
        profile: run.profile.clone(),
        metadata: match serde_json::to_value(&subject.metadata) {
            Ok(Value::Object(metadata)) => metadata,
            _ => Map::new(),
        },
        stages: stages.collect(),
    }
}

fn made(store: &Store, subject: &Subject, stage: &Done) -> Option<Made> {
    let Provenance { run, stage: maker, host, cpus, execution, .. } = &stage.record.as_ref()?.provenance;
    let machine = [("host".to_owned(), host.clone()), ("cpus".to_owned(), cpus.to_string())];
    let execution = execution.iter().map(|(name, value)| (name.clone(), value.to_string()));
    let conditions: BTreeMap<String, String> = machine.into_iter().chain(execution).collect();
    let curves = subject.curves.get(&stage.name).into_iter().flatten();
    let first_step = curves.filter_map(|(_, curve)| Some(*curve.first_key_value()?.0)).min();
    let events = store.path("runs").join(run).join("events.ndjson");
    Some(Made { run: run.clone(), stage: maker.clone(), events, first_step, conditions })
}

/// Shows sections.
pub fn sections(sections: &[Section]) -> Markup {
    html! {
        @for section in sections {
            h2 { (section.title) }
            @for note in &section.notes { p.note { (note) } }
            @for table in &section.tables { (shown(table)) }
        }
    }
}

fn shown(table: &Table) -> Markup {
    let class = |column: usize| table.columns.get(column).filter(|column| column.text).map(|_| "words");
    html! {
        div.wide tabindex="0" role="region" aria-label="table" {
            table {
                thead { tr {
                    @for (n, column) in table.columns.iter().enumerate() { th class=[class(n)] scope="col" { (column.name) } }
                } }
                tbody { @for row in &table.rows {
                    tr { @for (n, cell) in row.iter().enumerate() {
                        @if n == 0 { th class=[class(n)] scope="row" { (content(cell)) } }
                        @else { td class=[class(n)] { (content(cell)) } }
                    } }
                } }
            }
        }
    }
}

fn content(Cell { value, detail }: &Cell) -> Markup {
    html! {
        @if value.is_empty() { (NONE) } @else { (value) }
        @if !detail.is_empty() { " " small { (detail) } }
    }
}
