//! `callsheet explain`.

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_json, print_text, table};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::json;

use super::candidates;
use super::exit::SUCCESS;
use super::target::{TargetArgs, sources};
use crate::explanation::{KeyPart, compare};
use crate::run::{State, Variable, VariableSource, WorkerEnvironment, preview, worker_environment};

/// Show what changed since a stage's stored result, and the environment variables of its worker
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet explain train
  callsheet explain train --set train.rate=0.2
  callsheet explain evaluate --json

The cache key of a result covers the stage's version, command, code and inputs, and the parameters that affect
the result. Parts that differ between the stored key and the current key are marked with ≠.

The environment of the worker follows. It is not part of the key. Values that look secret are not printed.")]
pub(super) struct Explain {
    /// Stage or stage instance, e.g. `train` or `train@v4-0`
    #[arg(add = ArgValueCompleter::new(candidates::stages))]
    stage: String,
    #[command(flatten)]
    which: TargetArgs,
    /// Print both keys as JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn execute(&self) -> Result<u8> {
        let (project, store, plan, snapshot) = self.which.snapshot()?;
        let position = plan.position(&self.stage)?;
        let name = &plan.stages[position].name;
        let mut sources = sources(&project, &store, &plan);
        let preview = preview(&store, &mut sources, &snapshot, &plan)?.swap_remove(position);
        let stored = snapshot.last(name).and_then(|head| store.record(&head.key)).map(|record| record.key);
        let wanted = preview.key;
        let environment =
            worker_environment(&project, &plan.stages[position].decl, plan.stages[position].resources.gpus);
        if self.json {
            print_json(&json!({
                "stage": name, "stored": stored, "wanted": wanted, "preview": preview.state,
                "environment": environment,
            }));
            return Ok(SUCCESS);
        }
        let header = ["", "", "stored", "current"].map(str::to_owned);
        let line = |part: KeyPart| {
            let mark = if part.changed { "≠" } else { "" };
            let show = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            [mark.to_owned(), part.name, show(part.stored), show(part.current)]
        };
        let is_long = |part: &KeyPart| {
            let mut values = [&part.stored, &part.current].into_iter().flatten();
            values.any(|value| value.chars().count() > WIDEST)
        };
        let (long, short): (Vec<_>, Vec<_>) =
            compare(stored.as_ref(), wanted.as_ref()).into_iter().partition(is_long);
        let rows = [header].into_iter().chain(short.into_iter().map(line));
        print_text(&table(rows.map(Vec::from), &[]));
        for [mark, name, old, new] in long.into_iter().map(line) {
            print_text(&format!("{mark:<2} {name}\n   stored  {old}\n   current {new}"));
        }
        print_text(&match &preview.state {
            State::Cached { .. } => "\ncached: the result with the current key is in the store".to_owned(),
            State::Run { reasons, .. } => format!("\nwill run: {}", reasons.join("; ")),
            State::Maybe { after, reasons } if reasons.is_empty() => {
                format!("\nmaybe: {} must run first; its outputs may turn out unchanged", after.join(", "))
            }
            State::Maybe { after, reasons } => {
                format!("\nmaybe, after {}: {}", after.join(", "), reasons.join("; "))
            }
            State::Fails { reason } => format!("\ncannot run: {reason}"),
        });
        print_environment(&environment);
        Ok(SUCCESS)
    }
}

/// Prints the variables that the worker gets, and those of the caller that it does not get.
fn print_environment(environment: &WorkerEnvironment) {
    let header = ["variable of the worker", "source", "value"].map(str::to_owned).to_vec();
    let line = |variable: &Variable| {
        let note = variable.note.map(|note| format!("({note})"));
        let value = variable.value.clone().or(note).unwrap_or_default();
        vec![variable.name.clone(), variable.source.to_string(), value]
    };
    print_text(&format!("\n{}", table([header].into_iter().chain(environment.passed.iter().map(line)), &[])));
    if !environment.unset.is_empty() {
        print_text(&format!("\nnamed in callsheet.toml but not set: {}", environment.unset.join(", ")));
    }
    if !environment.left_out.is_empty() {
        let named = environment.passed.iter().filter(|variable| variable.source == VariableSource::Project);
        let named = named.map(|variable| &variable.name).chain(&environment.unset);
        let line: Vec<String> =
            named.chain(&environment.left_out).map(|name| format!("\"{name}\"")).collect();
        print_text(&format!(
            "\nset here but not passed to the worker: {}\n\
             add those that the worker needs to callsheet.toml: environment = [{}]",
            environment.left_out.join(", "),
            line.join(", ")
        ));
    }
}

/// Largest number of characters of a value in a column; longer values are printed below the table.
const WIDEST: usize = 50;
