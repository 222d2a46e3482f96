//! `callsheet show`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::print::{print_json, print_text};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::json;

use super::candidates;
use super::exit::SUCCESS;
use super::target::{TargetArgs, sources};
use crate::declare::Bytes;
use crate::event::{Event, LogLine, read_log};
use crate::plan::{Input, Plan, StageInstance, gathered};
use crate::run::preview;
use crate::store::{Record, Store};
use callsheet_figures::label::{counted, human_seconds};

/// Number of raw files that are listed.
const MOST_FILES: usize = 20;

/// Show the origin of an artifact: stage, parameters, inputs, run
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet show features.table
  callsheet show train                    the only output of a stage
  callsheet show evaluate.metrics --json")]
pub(super) struct Show {
    /// Artifact as `stage.output`, or the name of a stage with one output
    #[arg(add = ArgValueCompleter::new(candidates::artifacts))]
    artifact: String,
    #[command(flatten)]
    which: TargetArgs,
    /// Print the artifact and its origin as JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn execute(&self) -> Result<u8> {
        let (project, store, plan, snapshot) = self.which.snapshot()?;
        let (position, output) = self.find(&plan)?;
        let stage = &plan.stages[position];
        let mut sources = sources(&project, &store, &plan);
        let previews = preview(&store, &mut sources, &snapshot, &plan)?;
        let record = |at: usize| store.record(&previews[at].key.as_ref()?.digest());
        let Some((made, objects)) = record(position).zip(previews[position].objects.as_ref()) else {
            let lacks = previews[position].lacks().unwrap_or_default();
            return Err(Error::user_error(
                Code::NotComputed,
                format!(
                    "`{}.{output}` has no result with the current inputs and parameters ({lacks})",
                    stage.name
                ),
                format!(
                    "run `callsheet run{}`; `callsheet runs` lists the runs, and `callsheet ls --run RUN` their results",
                    self.which.options()
                ),
            ));
        };
        let object = &objects[output];
        let path = store.materialize(object);
        if self.json {
            print_json(&json!({
                "artifact": format!("{}.{output}", stage.name),
                "key": made.key.digest(), "path": &*path, "object": object, "started": started(&made),
                "made_from": made.key, "provenance": made.provenance,
            }));
            return Ok(SUCCESS);
        }
        line("artifact", format!("{}.{output}", stage.name));
        line("description", stage.decl.outputs[output].doc.clone());
        line("path", path.display().to_string());
        let rows = object.rows.map(|rows| format!(", {rows} rows")).unwrap_or_default();
        line("size", format!("{}{rows}", Bytes(object.size)));
        line("content", object.content.to_string());
        print_record(&made);
        for reason in reasons(&store, &made, &stage.name) {
            line("reason", reason);
        }
        print_inputs(&plan, stage, &made);
        print_raw_files(&plan, position, record);
        Ok(SUCCESS)
    }

    /// Returns the output that the argument names, and the position of its stage.
    fn find<'p>(&self, plan: &'p Plan) -> Result<(usize, &'p String)> {
        let outputs =
            |(at, stage): (usize, &'p StageInstance)| stage.decl.outputs.keys().map(move |o| (at, stage, o));
        let all = || plan.stages.iter().enumerate().flat_map(outputs);
        let (wanted, output) = self.artifact.rsplit_once('.').unwrap_or((&self.artifact, ""));
        let found = all().find(|(_, stage, name)| {
            // The name of an instance may contain dots itself.
            stage.name == wanted && *name == output
                || stage.name == self.artifact && stage.decl.outputs.len() == 1
        });
        let found = found.map(|(position, _, output)| (position, output));
        found.ok_or_else(|| {
            if let Some(stage) = plan.stages.iter().find(|stage| stage.name == self.artifact) {
                let outputs = stage.decl.outputs.keys().map(|output| format!("{}.{output}", stage.name));
                let message = format!("stage `{}` has {} outputs", stage.name, stage.decl.outputs.len());
                let help = format!("name one of them: {}", outputs.collect::<Vec<_>>().join(", "));
                return Error::user_error(Code::UnknownName, message, help);
            }
            let known: Vec<String> =
                all().map(|(_, stage, output)| format!("{}.{output}", stage.name)).collect();
            let of_output = all().filter(|(_, _, output)| **output == self.artifact);
            let of_output: Vec<String> =
                of_output.map(|(_, stage, output)| format!("`{}.{output}`", stage.name)).collect();
            let help = match of_output.is_empty() {
                true => suggest(&self.artifact, known.iter().map(String::as_str)),
                false => {
                    format!("an artifact is named STAGE.OUTPUT; did you mean {}?", of_output.join(" or "))
                }
            };
            Error::user_error(
                Code::UnknownName,
                format!("the pipeline has no artifact `{}`", self.artifact),
                help,
            )
        })
    }
}

/// Prints the raw files that an artifact depends on, also those of stages upstream. `record` returns the record of the
/// stage at a position.
fn print_raw_files(plan: &Plan, position: usize, record: impl Fn(usize) -> Option<Record>) {
    let (mut open, mut seen) = (vec![position], BTreeSet::from([position]));
    let mut files = BTreeMap::new();
    while let Some(at) = open.pop() {
        files.extend(record(at).into_iter().flat_map(|record| record.provenance.sources));
        open.extend(plan.stages[at].upstream().into_iter().filter(|producer| seen.insert(*producer)));
    }
    let count = files.len();
    for (file, digest) in files.into_iter().take(MOST_FILES) {
        line("raw file", format!("{file} ({})", digest.short()));
    }
    if count > MOST_FILES {
        line("", format!("and {}", counted((count - MOST_FILES) as u64, "more file")));
    }
}

fn line(name: &str, value: String) {
    print_text(&format!("{name:<12} {value}"));
}

fn started(record: &Record) -> String {
    let started = UNIX_EPOCH + Duration::from_secs(record.provenance.started);
    humantime::format_rfc3339_seconds(started).to_string()
}

/// Prints the action that computed an artifact: stage, duration, machine, run and parameters.
fn print_record(record: &Record) {
    let (key, made) = (&record.key, &record.provenance);
    line("action key", key.digest().to_string());
    line("stage", format!("{}, version {}", key.stage, key.version));
    if !key.labels.is_empty() {
        line("based on", key.labels.iter().cloned().collect::<Vec<_>>().join(", "));
    }
    let (started, took) = (started(record), human_seconds(made.seconds));
    let memory = made.peak_memory.map(|bytes| Bytes(bytes).to_string()).unwrap_or_default();
    let machine = format!("{memory} of memory, {} CPUs, on {}", made.cpus, made.host);
    line("computed", format!("{started}, in {took}, {machine}"));
    if !made.cpu.is_empty() {
        line("CPU", made.cpu.clone());
    }
    let revision = made.revision.as_deref().unwrap_or("none");
    line("by", format!("run {}, callsheet {}, revision {revision}", made.run, made.callsheet));
    for (name, value) in key.params.iter().chain(&key.budget).chain(&made.execution) {
        line("parameter", format!("{name} = {value}"));
    }
}

/// Returns the reasons why the action ran, from the events of its run.
fn reasons(store: &Store, record: &Record, stage: &str) -> Vec<String> {
    let events =
        read_log(&store.run_dir(&record.provenance.run).events(), |line| line.contains("\"started\""));
    let of_stage = |line: LogLine| match line.event {
        Event::Started { stage: started, reasons, .. } if started == stage => Some(reasons),
        _ => None,
    };
    events.filter_map(of_stage).last().unwrap_or_default()
}

/// Prints the inputs of an action.
fn print_inputs(plan: &Plan, stage: &StageInstance, record: &Record) {
    for (name, input) in &stage.inputs {
        let digest = |name: &str| record.key.inputs[name].short();
        match input {
            Input::Source { name: source, .. } => {
                line("input", format!("{name} < source {source} ({})", digest(name)));
            }
            Input::Artifact { stage, output } => {
                line("input", format!("{name} < {}.{output} ({})", plan.stages[*stage].name, digest(name)));
            }
            Input::Gather { stages, output } => {
                for stage in stages.iter().map(|stage| &plan.stages[*stage]) {
                    let digest = digest(&gathered(name, &stage.values));
                    line("input", format!("{name} < {}.{output} ({digest})", stage.name));
                }
            }
        }
    }
}
