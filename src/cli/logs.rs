//! `callsheet logs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, list, suggest};
use callsheet_worker::print::say;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::candidates;
use super::exit::SUCCESS;
use crate::declare::Project;
use crate::plan::{declared, group};
use crate::report::{HistoryEntry, RunState, find_run, history};
use crate::store::{StageState, Store, Tail};

/// Time between two looks at a log that is being written.
const PAUSE: Duration = Duration::from_millis(300);

/// Number of bytes that are read at once.
const PIECE: u64 = 1 << 20;

/// Print what the worker of a stage wrote to stdout and stderr
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet logs train               the latest log of the stage
  callsheet logs train -f            also what the worker writes from now on, until the run ends
  callsheet logs train --run latest~1
  callsheet logs                     list the logs of the latest run")]
pub(super) struct Logs {
    /// Stage or stage instance, e.g. `train` or `train@v4-0` [default: list the logs of the run]
    #[arg(add = ArgValueCompleter::new(candidates::stages))]
    stage: Option<String>,
    /// Run: its id, a prefix of its id, `latest`, or `latest~1` for the run before the latest
    /// [default: the latest run in which the stage wrote a log]
    #[arg(long, value_name = "RUN", add = ArgValueCompleter::new(candidates::runs))]
    run: Option<String>,
    /// Print what the worker writes from now on, until the run ends
    #[arg(short, long, requires = "stage")]
    follow: bool,
}

impl Logs {
    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let store = Store::of(&project)?;
        let runs = match &self.run {
            Some(run) => vec![find_run(&store, run)?],
            None => history(&store),
        };
        let Some(stage) = &self.stage else {
            list_logs(&store, &runs)?;
            return Ok(SUCCESS);
        };
        let running = runs.first().filter(|run| self.follow && run.state == RunState::Running);
        let mut known = known(&store, &runs);
        if let Some(run) = running {
            // A stage that has not started yet has no log.
            known.extend(declared(&project, &run.run.target).unwrap_or_default());
        }
        let stage = &one_instance(&known, stage)?;
        let logs = |run: &HistoryEntry| store.run_dir(&run.run.id).logs_of(stage);
        let found = running.or_else(|| runs.iter().find(|run| !logs(run).is_empty()));
        let Some(run) = found else {
            let is_cached = |run: &HistoryEntry| {
                run.run.stages.get(stage.as_str()).is_some_and(|result| result.state == StageState::Cached)
            };
            say(&match runs.as_slice() {
                [run] if is_cached(run) => format!(
                    "the result of `{stage}` was in the store, so no worker ran in run {}",
                    run.run.id
                ),
                _ => format!("the worker of `{stage}` wrote nothing to stdout and stderr"),
            });
            return Ok(SUCCESS);
        };
        say(&format!("run {}", run.run.id));
        let mut tails: BTreeMap<PathBuf, Tail> = BTreeMap::new();
        loop {
            let ended = !self.follow || !is_running(&store, &run.run.id);
            for log in logs(run) {
                if !print_on(&log, tails.entry(log.clone()).or_default())? {
                    return Ok(SUCCESS);
                }
            }
            if ended {
                return Ok(SUCCESS);
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Returns the stage instance that a name means: an instance, or a stage with one instance that has run.
fn one_instance(known: &BTreeSet<String>, name: &str) -> Result<String> {
    if known.contains(name) {
        return Ok(name.to_owned());
    }
    let instances: Vec<&str> =
        known.iter().map(String::as_str).filter(|instance| group(instance) == name).collect();
    match instances[..] {
        [instance] => Ok(instance.to_owned()),
        [] => {
            let help = suggest(name, known.iter().map(String::as_str));
            Err(Error::user_error(Code::UnknownName, format!("no run has a log of stage `{name}`"), help))
        }
        _ => {
            let message = format!("`{name}` matches {} stage instances", instances.len());
            Err(Error::user_error(
                Code::InvalidValue,
                message,
                format!("name one instance: {}", list(instances)),
            ))
        }
    }
}

/// Names of all stage instances of the runs. A run that has not ended or was killed has no record, but has logs. The names of
/// logs of the first run include those of earlier attempts, e.g. `train.1`.
fn known(store: &Store, runs: &[HistoryEntry]) -> BTreeSet<String> {
    let names = |HistoryEntry { run, .. }: &HistoryEntry| match run.stages.is_empty() {
        true => logged(store, &run.id),
        false => run.stages.keys().cloned().collect(),
    };
    let first = runs.first().map(|run| logged(store, &run.run.id));
    runs.iter().flat_map(names).chain(first.into_iter().flatten()).collect()
}

fn is_running(store: &Store, run: &str) -> bool {
    find_run(store, run).is_ok_and(|entry| entry.state == RunState::Running)
}

/// Prints what a log has after `tail`. Returns false if nobody reads the output any more, as in `| head`.
fn print_on(log: &Path, tail: &mut Tail) -> Result<bool> {
    let mut out = io::stdout().lock();
    loop {
        let bytes = tail.read(log, PIECE)?;
        if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
            return Ok(false);
        }
        if (bytes.len() as u64) < PIECE {
            return Ok(true);
        }
    }
}

/// Names of the stages with a log in a run.
fn logged(store: &Store, run: &str) -> Vec<String> {
    let entries = fs::read_dir(store.run_dir(run).logs()).into_iter().flatten().flatten();
    let name = |path: PathBuf| Some(path.file_name()?.to_str()?.strip_suffix(".log")?.to_owned());
    let mut names: Vec<String> = entries.filter_map(|entry| name(entry.path())).collect();
    names.sort();
    names
}

fn list_logs(store: &Store, runs: &[HistoryEntry]) -> Result<()> {
    let Some(run) = runs.first() else {
        let message = "the project has no runs yet";
        return Err(Error::user_error(Code::NotComputed, message, "run `callsheet run`"));
    };
    let names = logged(store, &run.run.id);
    say(&format!("run {}", run.run.id));
    match names.is_empty() {
        true => say("no worker wrote anything in this run"),
        false => callsheet_worker::print::print_text(&names.join("\n")),
    }
    Ok(())
}
