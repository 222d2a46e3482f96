//! Sections that commands of the project add to the page.

use std::collections::BTreeMap;
use std::io::{self, Read, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use callsheet_worker::report::{Cell, Made, Run, Section, Sections, Stage, Table, VERSION};
use maud::{Markup, html};
use serde_json::Value;

use super::cells::NONE;
use super::subject::{Done, Subject};
use crate::declare::{Project, command, json_table};
use crate::store::{Provenance, Store};

/// Longest answer of a command, in bytes.
const LONGEST: u64 = 16 << 20;
/// Bytes at the end of a failed command's stderr that are shown.
const SHOWN: usize = 2000;
/// Time limit of a command.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs every command that callsheet.toml declares with `report = true`. Returns their sections about a run,
/// and the reasons why commands failed. A failed command has a section with the reason.
pub(super) fn ask(project: &Project, store: &Store, subject: &Subject) -> (Vec<Section>, Vec<String>) {
    let asked: Vec<_> = project.commands.iter().filter(|(_, command)| command.report).collect();
    let (mut sections, mut failures) = (Vec::new(), Vec::new());
    if asked.is_empty() {
        return (sections, failures);
    }
    let run = described(store, subject);
    for (name, command) in asked {
        match answer(project, name, &command.program, &run) {
            Ok(answer) => sections.extend(answer),
            Err(why) => {
                let note = format!("The command `{name}` of this project failed: {why}");
                sections.push(Section { title: name.clone(), notes: vec![note.clone()], tables: Vec::new() });
                failures.push(note);
            }
        }
    }
    (sections, failures)
}

fn answer(project: &Project, name: &str, program: &str, run: &Run) -> Result<Vec<Section>, String> {
    let mut command = command(Some(project), program).map_err(|error| error.to_string())?;
    command.args([name, "--json", "-"]).current_dir(&project.root);
    let (status, stdout, stderr) = exchange(&mut command, serde_json::to_vec(run).expect("plain data"))?;
    if !status.success() {
        let start = stderr.len().saturating_sub(SHOWN);
        let said = String::from_utf8_lossy(&stderr[start..]).replace(char::is_control, " ");
        return Err(format!("it ended with {status}: {}", said.trim()));
    }
    let answer: Value =
        serde_json::from_slice(&stdout).map_err(|error| format!("its answer is not valid: {error}"))?;
    if answer["version"] != VERSION {
        return Err(format!("its answer has version {}, not {VERSION}", answer["version"]));
    }
    let answer: Sections =
        serde_json::from_value(answer).map_err(|error| format!("its answer is not valid: {error}"))?;
    for table in answer.sections.iter().flat_map(|section| &section.tables) {
        if let Some(row) = table.rows.iter().find(|row| row.len() != table.columns.len()) {
            return Err(format!(
                "a row has {} cells, but its table has {} columns",
                row.len(),
                table.columns.len()
            ));
        }
    }
    Ok(answer.sections)
}

/// Runs a command with `input` on its stdin; returns its exit status, stdout and stderr. Each pipe has its
/// own thread, so that the processes cannot block each other.
fn exchange(command: &mut Command, input: Vec<u8>) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut stdin = child.stdin.take().expect("a pipe");
    // A failure to write is ignored, because a command that does not read its input gives the reason on
    // stderr.
    thread::spawn(move || drop(stdin.write_all(&input)));
    let (out, err) =
        (collect(child.stdout.take().expect("a pipe")), collect(child.stderr.take().expect("a pipe")));
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if begun.elapsed() > LIMIT => {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(format!("it took longer than {} s", LIMIT.as_secs()));
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    // A process that the command left behind may keep the pipes open, so the wait has a limit.
    let rest = |pipe: Receiver<Vec<u8>>| pipe.recv_timeout(Duration::from_secs(2)).unwrap_or_default();
    Ok((status, rest(out), rest(err)))
}

/// Reads a pipe to its end, or up to the longest answer; the rest is discarded.
fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.by_ref().take(LONGEST).read_to_end(&mut bytes);
        let _ = io::copy(&mut pipe, &mut io::sink());
        let _ = sender.send(bytes);
    });
    receiver
}

/// Description of a run for commands of the project.
pub fn described(store: &Store, subject: &Subject) -> Run {
    let run = &subject.run;
    let mut reads: Vec<Vec<String>> = vec![Vec::new(); subject.stages.len()];
    for (from, to) in &subject.edges {
        reads[*to].push(subject.stages[*from].name.clone());
    }
    let stages = subject.stages.iter().enumerate().map(|(position, stage)| Stage {
        name: stage.name.clone(),
        values: stage.values.clone(),
        state: stage.state.to_string(),
        reads: std::mem::take(&mut reads[position]),
        made: made(store, subject, stage),
    });
    Run {
        version: VERSION,
        id: run.id.clone(),
        pipeline: run.target.pipeline.clone(),
        dataset: run.target.dataset.clone(),
        profile: run.target.profile.clone(),
        metadata: json_table(&subject.metadata),
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
    let events = store.run_dir(run).events();
    Some(Made { run: run.clone(), stage: maker.clone(), events, first_step, conditions })
}

/// HTML of sections.
pub(super) fn sections(sections: &[Section]) -> Markup {
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
