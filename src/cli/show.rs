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
use crate::plan::{Input, gathered};
use crate::run::outlook;
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
        let all = || plan.stages.iter().flat_map(|s| s.decl.outputs.keys().map(move |o| (s, o)));
        let (wanted, output) = self.artifact.rsplit_once('.').unwrap_or((&self.artifact, ""));
        let found = all().find(|(stage, name)| {
            // The name of an instance may have dots of its own.
            stage.name == wanted && *name == output
                || stage.name == self.artifact && stage.decl.outputs.len() == 1
        });
        let Some((stage, output)) = found else {
            let known: Vec<String> = all().map(|(s, o)| format!("{}.{o}", s.name)).collect();
            return Err(Error::refused(
                Code::UnknownName,
                format!("the pipeline has no artifact `{}`", self.artifact),
                suggest(&self.artifact, known.iter().map(String::as_str)),
            ));
        };
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
        let (object, made) = (&objects[output], &record.provenance);
        let started = UNIX_EPOCH + Duration::from_secs(made.started);
        let started = humantime::format_rfc3339_seconds(started).to_string();
        let path = store.materialize(object);
        if self.json {
            print_json(&json!({
                "artifact": format!("{}.{output}", stage.name),
                "key": record.key.digest(), "path": &*path, "object": object, "started": started,
                "made_from": record.key, "provenance": made,
            }));
            return Ok(SUCCESS);
        }
        let line = |name: &str, value: String| print_text(&format!("{name:<12} {value}"));
        line("artifact", format!("{}.{output}", stage.name));
        line("is", stage.decl.outputs[output].doc.clone());
        line("path", path.display().to_string());
        let rows = object.rows.map(|rows| format!(", {rows} rows")).unwrap_or_default();
        line("size", format!("{}{rows}", Bytes(object.size)));
        line("content", object.content.to_string());
        line("action key", record.key.digest().to_string());
        line("stage", format!("{}, version {}", record.key.stage, record.key.version));
        if !record.key.labels.is_empty() {
            line("rests on", record.key.labels.iter().cloned().collect::<Vec<_>>().join(", "));
        }
        let took = human_seconds(made.seconds);
        let memory = made.peak_memory.map(|bytes| Bytes(bytes).to_string()).unwrap_or_default();
        line(
            "made",
            format!("{started}, in {took}, {memory} of memory, {} CPUs, on {}", made.cpus, made.host),
        );
        if !made.cpu.is_empty() {
            line("CPU", made.cpu.clone());
        }
        line(
            "by",
            format!(
                "run {}, callsheet {}, revision {}",
                made.run,
                made.callsheet,
                made.revision.as_deref().unwrap_or("none")
            ),
        );
        for (name, value) in record.key.params.iter().chain(&record.key.budget).chain(&made.execution) {
            line("parameter", format!("{name} = {value}"));
        }
        for (name, input) in &stage.inputs {
            match input {
                Input::Source { name: source, .. } => {
                    line("input", format!("{name} < source {source} ({})", record.key.inputs[name].short()));
                }
                Input::Artifact { stage, output } => {
                    let from = format!("{}.{output}", plan.stages[*stage].name);
                    line("input", format!("{name} < {from} ({})", record.key.inputs[name].short()));
                }
                Input::Gather { stages, output } => {
                    for stage in stages.iter().map(|stage| &plan.stages[*stage]) {
                        let digest = record.key.inputs[&gathered(name, &stage.values)].short();
                        line("input", format!("{name} < {}.{output} ({digest})", stage.name));
                    }
                }
            }
        }
        for (file, digest) in &made.sources {
            line("raw file", format!("{file} ({})", digest.short()));
        }
        Ok(SUCCESS)
    }
}
