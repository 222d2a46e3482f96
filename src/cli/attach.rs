//! `callsheet attach`.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::say;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::candidates;
use super::exit::{STAGE_FAILED, SUCCESS};
use super::log_reporter::LogReporter;
use super::overview::Overview;
use super::run::Reporter;
use crate::declare::Project;
use crate::event::{Event, LogLine};
use crate::report::{RunState, find_run, history};
use crate::run::engine_job;
use crate::store::{Store, Tail};

/// Time between two looks at the events of a run, and between two questions whether its engine lives.
const LOOK: Duration = Duration::from_millis(200);
const ASK: Duration = Duration::from_secs(10);

/// Largest number of bytes that are read at once.
const PIECE: u64 = 1 << 20;

/// Show a run that was started elsewhere, until it ends
#[derive(Args)]
#[command(after_help = "\
The run goes on if this command is stopped with Ctrl-C. `callsheet cancel` ends its jobs.

Examples:
  callsheet run --on lab --detach    start a run that goes on without this terminal
  callsheet attach                   show the latest run
  callsheet attach latest~1          show the run before")]
pub(super) struct Attach {
    /// Run: its id, a prefix of its id, `latest`, or `latest~1` [default: the latest run]
    #[arg(add = ArgValueCompleter::new(candidates::runs))]
    run: Option<String>,
}

impl Attach {
    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let store = Store::of(&project)?;
        let entry = match &self.run {
            Some(run) => find_run(&store, run)?,
            None => history(&store).into_iter().next().ok_or_else(|| {
                Error::user_error(Code::NotComputed, "the project has no runs yet", "run `callsheet run`")
            })?,
        };
        let id = entry.run.id;
        say(&format!("run {id}"));
        let title = entry.run.target.to_string();
        let lines = LogReporter::new(title, BTreeSet::new(), &store, Overview::new(std::iter::empty()));
        let mut reporter = Reporter::of_run(lines);
        let (mut tail, mut asked, mut rest) = (Tail::default(), Instant::now(), Vec::new());
        let path = store.run_dir(&id).events();
        loop {
            let is_alive = asked.elapsed() < ASK || is_alive(&store, &id);
            if asked.elapsed() >= ASK {
                asked = Instant::now();
            }
            let text = tail.read(&path, PIECE)?;
            let is_empty = text.is_empty();
            rest.extend(text);
            // The last line may not be complete yet.
            let complete = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for line in rest.drain(..complete).collect::<Vec<u8>>().split(|byte| *byte == b'\n') {
                let Ok(LogLine { event, .. }) = serde_json::from_slice::<LogLine>(line) else { continue };
                reporter.report(&event);
                if let Event::RunFinished { failed, .. } = event {
                    return Ok(if failed == 0 { SUCCESS } else { STAGE_FAILED });
                }
            }
            if is_empty {
                if !is_alive {
                    let message = format!("the engine of run {id} has ended without having finished the run");
                    return Err(Error::user_error(
                        Code::NotComputed,
                        message,
                        "repeat `callsheet run` with the same options: it adopts the jobs that go on",
                    ));
                }
                thread::sleep(LOOK);
            }
        }
    }
}

/// Returns true if the engine of a run lives: here, or as a job of a cluster.
fn is_alive(store: &Store, run: &str) -> bool {
    find_run(store, run).is_ok_and(|entry| entry.state == RunState::Running)
        || engine_job(store, run).is_some()
}
