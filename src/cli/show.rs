//! `callsheet show`.

use std::time::{Duration, UNIX_EPOCH};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::print::{print_json, print_text};
use clap::Args;
use serde_json::json;

use super::exit::SUCCESS;
use super::which::{Which, sources};
use crate::declare::Bytes;
use crate::plan::{Input, Plan, StageInstance, gathered};
use crate::run::outlook;
use crate::store::Record;
use callsheet_figures::label::human_seconds;

/// Show where an artifact came from
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet show features.table
  callsheet show train                    a stage with one output needs no output's name
  callsheet show evaluate.metrics --json")]
pub(super) struct Show {
    /// `stage.output`, or a stage with one output
    artifact: String,
    #[command(flatten)]
    which: Which,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn execute(&self) -> Result<u8> {
        let (project, store, plan, survey) = self.which.survey()?;
        let (stage, output) = self.find(&plan)?;
        let mut sources = sources(&project, &store, &plan);
        let prospects = outlook(&store, &mut sources, &survey, &plan)?;
        let prospect = prospects.into_iter().find(|p| p.stage == stage.name);
        let made = prospect.and_then(|p| store.record(&p.key?.digest()).zip(p.objects));
        let Some((record, objects)) = made else {
            return Err(Error::refused(
                Code::NotComputed,
                format!("`{}.{output}` is not there yet with these parameters", stage.name),
                "`callsheet run` makes it; `callsheet plan` says what that takes",
            ));
        };
        let object = &objects[output];
        let path = store.materialize(object);
        if self.json {
            print_json(&json!({
                "artifact": format!("{}.{output}", stage.name),
                "key": record.key.digest(), "path": &*path, "object": object, "started": started(&record),
                "made_from": record.key, "provenance": record.provenance,
            }));
            return Ok(SUCCESS);
        }
        line("artifact", format!("{}.{output}", stage.name));
        line("is", stage.decl.outputs[output].doc.clone());
        line("path", path.display().to_string());
        let rows = object.rows.map(|rows| format!(", {rows} rows")).unwrap_or_default();
        line("size", format!("{}{rows}", Bytes(object.size)));
        line("content", object.content.to_string());
        print_record(&record);
        print_inputs(&plan, stage, &record);
        for (file, digest) in &record.provenance.sources {
            line("raw file", format!("{file} ({})", digest.short()));
        }
        Ok(SUCCESS)
    }

    /// The output that is meant, and its stage.
    fn find<'p>(&self, plan: &'p Plan) -> Result<(&'p StageInstance, &'p String)> {
        let all = || plan.stages.iter().flat_map(|s| s.decl.outputs.keys().map(move |o| (s, o)));
        let (wanted, output) = self.artifact.rsplit_once('.').unwrap_or((&self.artifact, ""));
        let found = all().find(|(stage, name)| {
            // The name of an instance may have dots of its own.
            stage.name == wanted && *name == output
                || stage.name == self.artifact && stage.decl.outputs.len() == 1
        });
        found.ok_or_else(|| {
            let known: Vec<String> = all().map(|(s, o)| format!("{}.{o}", s.name)).collect();
            Error::refused(
                Code::UnknownName,
                format!("the pipeline has no artifact `{}`", self.artifact),
                suggest(&self.artifact, known.iter().map(String::as_str)),
            )
        })
    }
}

fn line(name: &str, value: String) {
    print_text(&format!("{name:<12} {value}"));
}

fn started(record: &Record) -> String {
    let started = UNIX_EPOCH + Duration::from_secs(record.provenance.started);
    humantime::format_rfc3339_seconds(started).to_string()
}

/// Prints what made an artifact, and how.
fn print_record(record: &Record) {
    let (key, made) = (&record.key, &record.provenance);
    line("action key", key.digest().to_string());
    line("stage", format!("{}, version {}", key.stage, key.version));
    if !key.labels.is_empty() {
        line("rests on", key.labels.iter().cloned().collect::<Vec<_>>().join(", "));
    }
    let (started, took) = (started(record), human_seconds(made.seconds));
    let memory = made.peak_memory.map(|bytes| Bytes(bytes).to_string()).unwrap_or_default();
    let machine = format!("{memory} of memory, {} CPUs, on {}", made.cpus, made.host);
    line("made", format!("{started}, in {took}, {machine}"));
    if !made.cpu.is_empty() {
        line("CPU", made.cpu.clone());
    }
    let revision = made.revision.as_deref().unwrap_or("none");
    line("by", format!("run {}, callsheet {}, revision {revision}", made.run, made.callsheet));
    for (name, value) in key.params.iter().chain(&key.budget).chain(&made.execution) {
        line("parameter", format!("{name} = {value}"));
    }
}

/// Prints what a stage read.
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
