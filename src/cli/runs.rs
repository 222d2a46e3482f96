//! `callsheet runs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::{print_json_list, print_text, say, table};
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;

use super::candidates;
use super::compare::describe;
use super::exit::SUCCESS;
use crate::declare::Project;
use crate::plan::RUNS;
use crate::report::{FILE, HistoryEntry, RunState, find_run, history};
use crate::store::{StageState, Store, hide_except};
use callsheet_figures::label::human_seconds;

/// List the runs, link the results of a run, or remove runs from the list
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet runs                     list all runs, the latest first
  callsheet runs link latest         show the results of a run in data/out/runs/<id>
  callsheet runs rm latest~3         remove a run from the list, with its logs, metrics and images

Every run stays in the list until `runs rm` removes it. A run that found all its results cached and shown is not listed.
The results of a run stay in the store when the run is removed; `callsheet gc` removes results.")]
pub(super) struct Runs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Action {
    /// Show the results of a run in data/out/runs/<id>
    Link {
        /// Run: its id, a prefix of its id, `latest`, or `latest~1` for the run before the latest
        #[arg(add = ArgValueCompleter::new(candidates::runs))]
        run: String,
    },
    /// Remove runs from the list, with their logs, metrics and images; results stay in the store
    Rm {
        /// Runs: ids, prefixes of ids, `latest`, or `latest~1` for the run before the latest
        #[arg(required = true, add = ArgValueCompleter::new(candidates::runs))]
        runs: Vec<String>,
    },
}

impl Runs {
    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let store = Store::of(&project)?;
        match &self.action {
            None => list(&store, self.json),
            Some(Action::Link { run }) => link(&project, &store, run)?,
            Some(Action::Rm { runs }) => remove(&project, &store, runs)?,
        }
        Ok(SUCCESS)
    }
}

/// Prints all runs, the latest first.
pub(super) fn list(store: &Store, json: bool) {
    let runs = history(store);
    if json {
        return print_json_list("runs", &runs);
    }
    let line = |HistoryEntry { run, state }: &HistoryEntry| {
        let count =
            |wanted: &[StageState]| run.stages.values().filter(|stage| wanted.contains(&stage.state)).count();
        let (ran, cached) = (count(&[StageState::Ran]), count(&[StageState::Cached]));
        let not = run.stages.len() - ran - cached;
        let rest = if not > 0 { format!(", not done {not}") } else { String::new() };
        let stages = format!("ran {ran}, cached {cached}{rest}");
        vec![run.id.clone(), state.to_string(), human_seconds(run.seconds), stages, describe(run)]
    };
    if runs.is_empty() {
        print_text("no runs yet; `callsheet run` runs the pipeline");
    } else {
        print_text(&table(runs.iter().map(line), &[]));
    }
}

/// Links the results of a run in `data/out/runs/<id>`.
fn link(project: &Project, store: &Store, name: &str) -> Result<()> {
    let HistoryEntry { run, .. } = find_run(store, name)?;
    // gc must not remove the results meanwhile.
    let _shared = store.shared()?;
    let folder = folder(project, &run.id);
    let (mut shown, mut gone) = (0, Vec::new());
    for (stage, result) in &run.stages {
        let Some(record) = result.key.and_then(|key| store.record(&key)) else {
            gone.extend(result.key.map(|_| stage.as_str()));
            continue;
        };
        let decl = project.stage(&record.key.stage).ok().flatten();
        for (output, object) in &record.outputs {
            let declared = decl.as_ref().and_then(|decl| decl.outputs.get(output));
            let file = declared.map_or(output.as_str(), |output| object.shown_as(&output.path));
            if store.materialize(object).exists() {
                store.show(object, &folder.join(stage).join(file), &project.data)?;
                shown += 1;
            } else {
                gone.push(stage);
            }
        }
    }
    if shown == 0 {
        return Err(Error::user_error(
            Code::NotComputed,
            format!("the run {} has no result that is still in the store", run.id),
            "name another run; `callsheet runs` lists them",
        ));
    }
    if !gone.is_empty() {
        say(&format!("warning: not in the store any more: {}", gone.join(", ")));
    }
    print_text(&folder.display().to_string());
    Ok(())
}

/// Removes runs from the list.
fn remove(project: &Project, store: &Store, names: &[String]) -> Result<()> {
    let mut runs = names.iter().map(|name| find_run(store, name)).collect::<Result<Vec<_>>>()?;
    let mut seen = BTreeSet::new();
    runs.retain(|entry| seen.insert(entry.run.id.clone()));
    if let Some(live) = runs.iter().find(|entry| entry.state == RunState::Running) {
        return Err(Error::user_error(
            Code::Busy,
            format!("the run {} is in progress", live.run.id),
            "wait until the run ends, or stop it with Ctrl-C",
        ));
    }
    for HistoryEntry { run, .. } in runs {
        store.run_dir(&run.id).remove()?;
        let links = folder(project, &run.id);
        hide_except(&links, &BTreeSet::new(), &|_| false)?;
        // Other files in the folder belong to the user.
        let _ = fs::remove_file(links.join(FILE));
        let _ = fs::remove_dir(&links);
        print_text(&format!("removed {}", run.id));
    }
    Ok(())
}

/// Folder of the links to the results of a run.
pub(super) fn folder(project: &Project, id: &str) -> PathBuf {
    project.data.join("out").join(RUNS).join(id)
}
