//! `callsheet plan`.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_worker::error::{Result, list};
use callsheet_worker::print::{print_json_list, print_text};
use clap::Args;

use super::exit::{SUCCESS, WOULD_RUN};
use super::which::{Select, Which, sources};
use crate::declare::Project;
use crate::plan::{Plan, Selection};
use crate::run::{
    Compute, Interrupts, Machine, Outlook, RunOptions, State, Survey, count_rows, left_out_by_only, machine,
    outlook, run,
};
use crate::store::Store;
use callsheet_figures::label::human_seconds;

/// Show what a run would do, and why
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet plan
  callsheet plan --set sample_triplets.visits=40
  callsheet plan --check || echo 'not up to date'   for CI: exit code 3 if anything would run

`maybe`: a stage before it must run; it runs too unless that turns out to change nothing. Its rows are
counted all the same where what they depend on is known: `computes 0 to 40 of 768 rows` leaves open the 40
that the stage before it makes anew. Stages that only list rows (`listing` in stage.toml) are run for that.")]
pub(super) struct PlanCommand {
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    which: Which,
    /// Exit with code 3 if anything would run
    #[arg(long)]
    check: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    pub(super) fn execute(&self) -> Result<u8> {
        show(&self.which, &self.select, &machine(None, None, None), self.check, self.json)
    }
}

/// Prints what a run on `machine` would do; with `check`, the exit code says whether that is anything.
pub(super) fn show(which: &Which, select: &Select, machine: &Machine, check: bool, json: bool) -> Result<u8> {
    let (project, store, plan, survey) = which.survey()?;
    let plan = plan.select(&select.selection())?;
    let mut sources = sources(&project, &store, &plan);
    let mut stages = outlook(&store, &mut sources, &survey, &plan)?;
    let (mut listed, mut failed) = (BTreeSet::new(), BTreeMap::new());
    while let Some(listing) = listing(&plan, &stages, &mut listed) {
        failed.extend(run_listing(&project, &store, &plan, &survey, machine, listing)?);
        stages = outlook(&store, &mut sources, &survey, &plan)?;
    }
    count_rows(&store, &mut sources, &plan, &mut stages)?;
    let only = plan.names(&select.only)?;
    let left_out =
        |stage: &&Outlook| !only.is_empty() && !only.contains(&stage.stage) && stage.objects.is_none();
    if let Some(stage) = stages.iter().find(left_out) {
        return Err(left_out_by_only(&stage.stage));
    }
    for (stage, planned) in stages.iter_mut().zip(&plan.stages) {
        if stage.objects.is_none() {
            let fits = machine.check(&stage.stage, &planned.resources);
            let ready = fits.and_then(|()| project.program(&planned.decl.command[0]).map(drop));
            let said = failed.get(&stage.stage).cloned();
            stage.problem = said.or_else(|| ready.err().map(|error| error.to_string()));
        }
    }
    let idle = stages.iter().all(|s| matches!(s.state, State::Cached { .. }));
    if json {
        print_json_list("stages", &stages);
    } else {
        let width = stages.iter().map(|s| s.stage.len()).max().unwrap_or_default();
        stages.iter().for_each(|stage| print_text(&line(stage, width)));
        for (problem, stage) in
            stages.iter().filter_map(|stage| Some((stage.problem.as_ref()?, &stage.stage)))
        {
            print_text(&format!("{stage} would fail: {problem}"));
        }
        print_text(&sum(&stages));
    }
    Ok(if check && !idle { WOULD_RUN } else { SUCCESS })
}

/// Stages whose tables say which rows the others compute, and which can run; each is named once.
fn listing(plan: &Plan, stages: &[Outlook], listed: &mut BTreeSet<String>) -> Option<Vec<String>> {
    let ready = plan
        .stages
        .iter()
        .zip(stages)
        .filter(|(stage, outlook)| stage.decl.listing && matches!(outlook.state, State::Run { .. }));
    let names: Vec<String> = ready.map(|(stage, _)| stage.name.clone()).collect();
    let new: Vec<String> = names.into_iter().filter(|name| listed.insert(name.clone())).collect();
    (!new.is_empty()).then_some(new)
}

/// Runs stages for their tables alone; returns what those said that failed.
fn run_listing(
    project: &Project,
    store: &Store,
    plan: &Plan,
    survey: &Survey,
    machine: &Machine,
    names: Vec<String>,
) -> Result<Vec<(String, String)>> {
    let only = Some(names.iter().cloned().collect());
    let selection = Selection { until: names, ..Selection::default() };
    let plan = plan.clone().select(&selection)?;
    let options = RunOptions { machine: machine.clone(), only, unseen: true, ..RunOptions::default() };
    let ran = run(project, store, &plan, survey, &options, &Interrupts::default(), |_| {});
    // A store that cannot be written can be looked at all the same.
    let failed = ran.map(|summary| summary.failed).unwrap_or_default();
    Ok(failed.into_iter().map(|(stage, error)| (stage, error.to_string())).collect())
}

/// `run    grams  layers: 3 → 5 (768 rows, took 12 s)`.
fn line(stage: &Outlook, width: usize) -> String {
    let (state, text) = match &stage.state {
        State::Cached { key } => ("cached", key.short()),
        State::Run { reasons, .. } => ("run", reasons.join("; ")),
        State::Maybe { after, reasons } => {
            let after = format!("after {}", list(after.iter().map(String::as_str)));
            ("maybe", [&[after], &reasons[..]].concat().join("; "))
        }
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
    format!("{state:<7}{:<width$}  {text}{facts}", stage.stage)
}

/// `12 cached, 2 to run, 1 maybe; those that ran before took 3 min 5 s`.
fn sum(stages: &[Outlook]) -> String {
    let count = |wanted: fn(&State) -> bool| stages.iter().filter(|stage| wanted(&stage.state)).count();
    let cached = count(|state| matches!(state, State::Cached { .. }));
    let run = count(|state| matches!(state, State::Run { .. }));
    let maybe = stages.len() - cached - run;
    let open = stages.iter().filter(|stage| !matches!(stage.state, State::Cached { .. }));
    let seconds: Vec<f64> = open.filter_map(|stage| stage.seconds_here).collect();
    let took = match seconds.len() {
        0 => String::new(),
        n if n == run + maybe => format!("; they took {} last time", human_seconds(seconds.iter().sum())),
        n => format!("; {n} of them took {} last time", human_seconds(seconds.iter().sum())),
    };
    format!("{cached} cached, {run} to run, {maybe} maybe{took}")
}
