//! `callsheet status`.

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_json, print_text, table};
use clap::Args;
use serde_json::json;

use super::exit::SUCCESS;
use super::overview::Overview;
use super::target::{TargetArgs, sources};
use crate::event::read_log;
use crate::report::{HistoryEntry, RunState, history};
use crate::run::{StagePreview, State, preview};
use crate::store::Store;
use callsheet_figures::label::{counted, human_seconds};

/// Number of stale stages that the screen shows.
const MOST: usize = 12;

/// Show what is up to date, what is stale and why, and what is running
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet status
  callsheet status --dataset mine --json

`callsheet plan` lists every stage, and counts rows.")]
pub(super) struct Status {
    #[command(flatten)]
    which: TargetArgs,
    /// Print the status as JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn execute(&self) -> Result<u8> {
        let (project, store, plan, snapshot) = self.which.snapshot()?;
        let mut sources = sources(&project, &store, &plan);
        let previews = preview(&store, &mut sources, &snapshot, &plan)?;
        let mut runs = history(&store);
        runs.retain(|run| run.run.target == plan.request.target);
        let running: Vec<Running> = runs
            .iter()
            .filter(|run| run.state == RunState::Running)
            .map(|run| Running::of(&store, run))
            .collect();
        let (fresh, stale): (Vec<_>, Vec<_>) =
            previews.iter().partition(|stage| matches!(stage.state, State::Cached { .. }));
        let out = plan.request.target.out(&project.data);
        if self.json {
            let stale: Vec<_> =
                stale.iter().map(|stage| json!({ "stage": stage.stage, "lacks": stage.lacks() })).collect();
            print_json(&json!({
                "results": out, "up_to_date": fresh.len(), "stages": previews.len(), "stale": stale,
                "running": running.iter().map(Running::json).collect::<Vec<_>>(), "latest": runs.first(),
            }));
            return Ok(SUCCESS);
        }
        let mut lines = vec![
            line(&plan.request.target.to_string(), out.display().to_string()),
            line("up to date", format!("{} of {}", fresh.len(), counted(previews.len() as u64, "stage"))),
        ];
        lines.extend(stale_lines(&stale));
        lines.extend(running.iter().flat_map(Running::lines));
        lines.extend(runs.first().map(latest));
        print_text(&table(lines, &[]));
        Ok(SUCCESS)
    }
}

fn line(name: &str, text: String) -> Vec<String> {
    vec![name.to_owned(), text]
}

fn stale_lines(stale: &[&StagePreview]) -> Vec<Vec<String>> {
    let shown = stale.iter().take(MOST).enumerate().map(|(at, stage)| {
        let reason = stage.lacks().unwrap_or_default();
        line(
            if at == 0 { "stale" } else { "" },
            format!("{}: {}", stage.stage, reason.trim_start_matches("stale: ")),
        )
    });
    let more = stale.len().saturating_sub(MOST);
    let more = (more > 0).then(|| line("", format!("and {}", counted(more as u64, "more stage"))));
    shown.chain(more).collect()
}

fn latest(run: &HistoryEntry) -> Vec<String> {
    let took = if run.state == RunState::Running {
        String::new()
    } else {
        format!(" in {}", human_seconds(run.run.seconds))
    };
    line("latest run", format!("{}: {}{took}", run.run.id, run.state))
}

/// A run in progress.
struct Running {
    id: String,
    overview: Overview,
}

impl Running {
    fn of(store: &Store, run: &HistoryEntry) -> Self {
        let mut overview = Overview::default();
        read_log(&store.run_dir(&run.run.id).events(), |_| true)
            .for_each(|line| overview.follow(&line.event));
        Self { id: run.run.id.clone(), overview }
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let tasks = self.overview.tasks.iter().enumerate().map(|(at, (stage, task))| {
            let facts = task.progress().unwrap_or_else(|| "started".to_owned());
            line(if at == 0 { "running" } else { "" }, format!("{stage}: {facts}"))
        });
        let lines: Vec<_> = tasks.collect();
        if lines.is_empty() { vec![line("running", self.id.clone())] } else { lines }
    }

    fn json(&self) -> serde_json::Value {
        let tasks: serde_json::Map<_, _> =
            self.overview.tasks.iter().map(|(stage, task)| (stage.clone(), json!(task.progress()))).collect();
        json!({ "run": self.id, "stages": tasks })
    }
}
