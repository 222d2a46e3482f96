//! `callsheet plan`.

use callsheet_worker::error::{Result, list};
use callsheet_worker::print::{print_json_list, print_text, say, table};
use clap::Args;

use super::exit::{SUCCESS, WOULD_RUN};
use super::target::{Select, TargetArgs, sources};
use crate::curation::similar_file;
use crate::impact::impact;
use crate::listing::list_stages;
use crate::run::{Compute, Machine, StageForecast, StagePreview, State, forecast, left_out_by_only, machine};
use callsheet_figures::label::{counted, human_seconds};

/// More GPUs than a node of a cluster has.
const MOST_GPUS: usize = 1024;

/// Show which stages would run, and why
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet plan
  callsheet plan --set sample_triplets.visits=40
  callsheet plan --on lab                           also the jobs that a run on this cluster would submit
  callsheet plan --check || echo 'not up to date'   for CI: exit code 3 if anything would run

A stage is marked `maybe` if another stage must run first. The marked stage then runs only if the store
contains no result for its new inputs. `plan` counts the rows of row-wise stages if it knows their inputs:
`computes 0 to 40 of 768 rows` means that up to 40 rows must be computed. They depend on rows that an
upstream stage computes first. The time at the end is estimated from earlier runs: `about 2 s to 31 s`
if it depends on what upstream stages compute. To count rows, `plan` itself runs the cheap stages whose tables list the
rows. These stages declare `enumerates_rows = true` in stage.toml.")]
pub(super) struct PlanCommand {
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    which: TargetArgs,
    /// Also show the jobs that a run on this cluster would submit: the name of an executor
    #[arg(long, value_name = "EXECUTOR")]
    on: Option<String>,
    /// Exit with code 3 if a stage would run
    #[arg(long)]
    check: bool,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    pub(super) fn execute(&self) -> Result<u8> {
        let mut machine = machine(None, None, None);
        if self.on.is_some() {
            // Classes of the cluster decide which resources there are.
            (machine.memory, machine.gpus) = (u64::MAX, vec![String::new(); MOST_GPUS]);
        }
        show(&self.which, &self.select, &machine, self.on.as_deref(), self.check, self.json)
    }
}

/// Prints what a run on `machine` would do. With `check`, the exit code is 3 if a stage would run.
pub(super) fn show(
    which: &TargetArgs,
    select: &Select,
    machine: &Machine,
    on: Option<&str>,
    check: bool,
    json: bool,
) -> Result<u8> {
    let (project, store, plan, snapshot) = which.snapshot()?;
    let plan = plan.select(&select.selection())?;
    let mut sources = sources(&project, &store, &plan);
    if let Some(warning) = similar_file(&project, &plan) {
        say(&format!("warning: {warning}"));
    }
    let stages = list_stages(&project, &store, &plan, &snapshot, &mut sources, machine)?;
    let jobs = forecast(&project, &store, &plan, &snapshot, &stages, on)?;
    let only = plan.names(&select.only)?;
    let left_out =
        |stage: &&StagePreview| !only.is_empty() && !only.contains(&stage.stage) && stage.objects.is_none();
    if let Some(stage) = stages.iter().find(left_out) {
        return Err(left_out_by_only(&stage.stage));
    }
    let idle = stages.iter().all(|s| matches!(s.state, State::Cached { .. }));
    if json {
        print_json_list("stages", &stages);
    } else {
        print_text(&table(stages.iter().map(line), &[]));
        for (problem, stage) in
            stages.iter().filter_map(|stage| Some((stage.problem.as_ref()?, &stage.stage)))
        {
            print_text(&format!("{stage} would fail: {problem}"));
        }
        print_jobs(&jobs);
        let time = impact(&store, &plan.request.target, &stages).time();
        print_text(&format!("{}{}", sum(&stages), time.map(|time| format!("; {time}")).unwrap_or_default()));
    }
    Ok(if check && !idle { WOULD_RUN } else { SUCCESS })
}

/// Prints the jobs that a run would submit.
fn print_jobs(jobs: &[StageForecast]) {
    let hours = |hours: Option<f64>, what: &str| hours.map(|hours| format!("about {hours:.2} {what} hours"));
    let row = |job: &StageForecast| {
        let jobs = match job.jobs {
            Some(jobs) => counted(jobs, "job"),
            None => "as many jobs as its rows require".to_owned(),
        };
        let facts = [
            job.rows.map(|rows| counted(rows, "row")),
            Some(jobs),
            hours(job.cpu_hours, "CPU"),
            hours(job.gpu_hours, "GPU"),
        ];
        vec![
            format!("on {}", job.executor),
            job.stage.clone(),
            job.partition.clone(),
            facts.into_iter().flatten().collect::<Vec<_>>().join(", "),
        ]
    };
    if !jobs.is_empty() {
        print_text(&table(jobs.iter().map(row), &[]));
    }
}

/// `run    grams` and `layers: 3 → 5 (768 rows, took 12 s)`.
fn line(stage: &StagePreview) -> Vec<String> {
    let (state, text) = match &stage.state {
        State::Cached { key } => ("cached", key.short()),
        State::Run { reasons, .. } => ("run", reasons.join("; ")),
        State::Maybe { after, reasons } => {
            let after = format!("after {}", list(after.iter().map(String::as_str)));
            ("maybe", [&[after], &reasons[..]].concat().join("; "))
        }
        State::Fails { reason } => ("fails", reason.clone()),
    };
    let compute = stage.compute.map(|Compute { rows, open, of }| match open {
        0 => format!("computes {rows} of {of} rows"),
        _ => format!("computes {rows} to {} of {of} rows", rows + open),
    });
    let rows = stage.rows.iter().map(|(table, rows)| format!("{rows} rows of {table}"));
    let rows = compute.into_iter().chain(rows.filter(|_| stage.compute.is_none()));
    let took = match (stage.seconds_here, stage.seconds) {
        _ if state == "cached" => None,
        (Some(seconds), _) => Some(format!("took {}", human_seconds(seconds))),
        (None, Some(seconds)) => Some(format!("took {} on another kind of CPU", human_seconds(seconds))),
        (None, None) => None,
    };
    let facts: Vec<String> = rows.chain(took).collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    vec![format!("{state:<7}{}", stage.stage), format!("{text}{facts}")]
}

/// Summary such as `12 cached, 2 to run, 1 maybe`.
fn sum(stages: &[StagePreview]) -> String {
    let count = |wanted: fn(&State) -> bool| stages.iter().filter(|stage| wanted(&stage.state)).count();
    let cached = count(|state| matches!(state, State::Cached { .. }));
    let run = count(|state| matches!(state, State::Run { .. }));
    let fails = count(|state| matches!(state, State::Fails { .. }));
    let maybe = stages.len() - cached - run - fails;
    let fails = if fails > 0 { format!(", {fails} cannot run") } else { String::new() };
    format!("{cached} cached, {run} to run, {maybe} maybe{fails}")
}
