//! Tests of the scheduler and the executor for clusters with a simulated cluster. `make simulate` runs a thousand seeds.
#![expect(clippy::print_stdout, reason = "prints the figures of docs/scale.md")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{env, fs};

use rayon::prelude::*;

use super::*;
use crate::declare::ExecutorDecl;
use crate::run::context::LazySandbox;
use crate::run::executor::cluster::Known;
use crate::run::executor::cluster::simulation::{
    Incidents, Pipeline, Random, Report, SimulatedCluster, SimulatedExecutor, Size, Work, lab,
};
use crate::run::rows::Rate;

const SMALL: Size = Size { actions: 300, row_actions: 6, rows: 2000, nodes: 50 };
const LARGE: Size = Size { actions: 10_000, row_actions: 100, rows: 10_000, nodes: 1000 };

/// Largest number of calls of the cluster's programs in a minute, and in the one in which the user stops the run.
const MOST_CALLS: usize = 30;
const MOST_CALLS_AT_STOP: usize = 60;

/// Largest number of entries in the memory of the engine for each task that is not over.
const MOST_ENTRIES: f64 = 6.0;

/// Runs the pipeline until it ends or the engine is killed. Returns the summary, and the number of ends of stages that
/// were reported.
fn run<'a>(
    pipeline: &'a Pipeline,
    run: &'a Run<'a>,
    decl: &'a ExecutorDecl,
    cluster: SimulatedCluster,
    incidents: Incidents,
) -> (RunSummary, Report) {
    let report = Rc::new(RefCell::new(Report::default()));
    let known = Known { seconds: Box::new(|_| None), rate: Box::new(|_| None::<Rate>) };
    let executor =
        SimulatedExecutor::new(run, decl, known, cluster, pipeline.size.rows, incidents, report.clone());
    let options = RunOptions { ephemeral: true, ..RunOptions::default() };
    let mut sources = Sources::load(&pipeline.store, &pipeline.project.root);
    let target = &pipeline.plan.request.target;
    let snapshot = StoreSnapshot::new(&pipeline.store, &pipeline.project.data, target, |_, _| {});
    let summary = Scheduler::new(run, &options, &mut sources, &snapshot, |_: &Event| {}, executor).schedule();
    (summary, report.take())
}

fn new_run<'a>(pipeline: &'a Pipeline, id: &str) -> Run<'a> {
    Run {
        project: &pipeline.project,
        store: &pipeline.store,
        plan: &pipeline.plan,
        id: id.to_owned(),
        replaces: None,
        keep_failed: false,
        job: None,
        sandbox: LazySandbox::default(),
    }
}

/// Simulates a run, and checks that nothing is lost or recorded twice. One run in eight is stopped by its user, one loses its
/// engine, and one has tasks that fail.
fn simulate(pipeline: &Pipeline, seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let at = random.seconds(0.0, 3600.0);
    let again = (seed % 16 == 9).then_some(at + Duration::from_secs(5));
    let incidents = match seed % 8 {
        1 => Incidents { interrupts: [Some(at), again], kill: None },
        2 => Incidents { kill: Some(at), ..Incidents::default() },
        _ => Incidents::default(),
    };
    let stages = &pipeline.plan.stages;
    let decl = lab(pipeline.size.nodes as u32);
    let mut cluster = SimulatedCluster::new(stages, pipeline.size.nodes, decl.max_jobs as usize, random);
    if seed % 8 == 3 {
        cluster.let_fail();
    }
    let runs = ["a", "b"].map(|name| new_run(pipeline, &format!("{seed}-{name}")));
    let (mut summary, mut report) = run(pipeline, &runs[0], &decl, cluster, incidents);
    let mut work = check(pipeline, seed, &summary, &report);
    if incidents.kill.is_some() {
        let cluster = report.cluster.take().expect("a cluster");
        (summary, report) = run(pipeline, &runs[1], &decl, cluster, Incidents::default());
        work = check(pipeline, seed, &summary, &report);
    }
    let is_over = summary.ran + summary.cached == stages.len();
    assert!(
        is_over || summary.stopped || !summary.failed.is_empty(),
        "seed {seed}: actions are lost: {work:?}"
    );
    assert_eq!(report.left, 0, "seed {seed}: the engine forgets what is over");
    if summary.stopped {
        let left = report.cluster.as_mut().expect("a cluster").left_after_stop();
        assert_eq!(left, 0, "seed {seed}: jobs are left after the stop");
    }
    Outcome { work, tasks: report.most_tasks, submissions: report.most_sent }
}

/// Costs of a simulated run.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    work: Work,
    /// Largest numbers of tasks and of submissions at one time.
    tasks: usize,
    submissions: usize,
}

fn check(pipeline: &Pipeline, seed: u64, summary: &RunSummary, report: &Report) -> Work {
    let cluster = report.cluster.as_ref().expect("a cluster");
    let work = cluster.work();
    let positions = pipeline.plan.stages.iter().enumerate();
    let positions: BTreeMap<&str, usize> = positions.map(|(at, stage)| (&*stage.name, at)).collect();
    for (stage, error) in &summary.failed {
        assert!(cluster.may_fail(positions[&**stage]), "seed {seed}: `{stage}` failed: {error}");
    }
    assert!(report.ends.values().all(|ends| *ends == 1), "seed {seed}: an action ended twice");
    assert_eq!(report.unfinished, 0, "seed {seed}: a table lacks rows");
    let most = if summary.stopped { MOST_CALLS_AT_STOP } else { MOST_CALLS };
    assert!(work.most_calls <= most, "seed {seed}: the cluster is asked too often: {work:?}");
    assert!(
        report.most_entries <= MOST_ENTRIES,
        "seed {seed}: {} entries for each task",
        report.most_entries
    );
    let rows = pipeline.size.row_actions * pipeline.size.rows;
    assert!(work.rows_again * 20 <= rows, "seed {seed}: too much is computed again: {work:?}");
    assert!(
        work.actions_again * 20 <= pipeline.plan.stages.len(),
        "seed {seed}: too much is computed again: {work:?}"
    );
    work
}

/// Simulates runs with seeds from 0 on, on all CPUs.
fn simulate_all(pipeline: &Pipeline, seeds: u64) -> Vec<Outcome> {
    (0..seeds).into_par_iter().map(|seed| simulate(pipeline, seed)).collect()
}

#[test]
fn a_run_on_a_faulty_cluster_loses_nothing_and_records_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    simulate_all(&Pipeline::new(folder.path(), SMALL, 1), 32);
}

#[test]
fn ten_thousand_actions_with_a_million_rows_on_a_thousand_nodes() {
    let folder = tempfile::tempdir().expect("a folder");
    let seeds = env::var("CALLSHEET_SEEDS").map_or(2, |seeds| seeds.parse().expect("a number of seeds"));
    let outcomes = simulate_all(&Pipeline::new(folder.path(), LARGE, 1), seeds);
    let most = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).max().unwrap_or_default();
    println!("{seeds} seeds: the largest values are");
    println!("  calls in a minute         {}", most(|outcome| outcome.work.most_calls));
    println!("  tasks at one time         {}", most(|outcome| outcome.tasks));
    println!("  submissions at one time   {}", most(|outcome| outcome.submissions));
    println!("  jobs                      {}", most(|outcome| outcome.work.jobs));
    println!("  attempts at jobs          {}", most(|outcome| outcome.work.attempts));
    println!("  actions computed again    {}", most(|outcome| outcome.work.actions_again));
    println!("  rows computed again       {}", most(|outcome| outcome.work.rows_again));
    println!("  hours                     {}", most(|outcome| outcome.work.time.as_secs() as usize / 3600));
    println!("memory of this process: {} MB", peak_memory() >> 20);
}

#[test]
#[ignore = "prints the table of docs/scale.md"]
fn costs_by_size() {
    println!("| actions | rows | nodes | virtual hours | CPU s | memory MB | jobs | calls | calls/min |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (actions, rows) in [(100, 10_000), (1000, 100_000), (10_000, 1_000_000), (20_000, 4_000_000)] {
        let row_actions = actions / 100;
        let size = Size { actions, row_actions, rows: rows / row_actions, nodes: actions.div_ceil(10) };
        let folder = tempfile::tempdir().expect("a folder");
        let pipeline = Pipeline::new(folder.path(), size, 1);
        let clock = Instant::now();
        let Outcome { work, .. } = simulate(&pipeline, 0);
        let (seconds, hours) = (clock.elapsed().as_secs_f64(), work.time.as_secs_f64() / 3600.0);
        println!(
            "| {actions} | {rows} | {} | {hours:.1} | {seconds:.1} | {} | {} | {} | {:.1} |",
            size.nodes,
            peak_memory() >> 20,
            work.jobs,
            work.calls,
            work.calls as f64 / (hours * 60.0),
        );
    }
}

/// Largest resident set size of this process in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel's file");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}
