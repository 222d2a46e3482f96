//! Execution of a plan: lookup of cached results, scheduling, workers, publication of results.

mod access;
mod action;
mod attempt;
mod changed_inputs;
mod context;
mod debug;
mod environment;
mod executor;
mod expand;
mod interrupts;
mod job;
mod log;
mod memory;
mod owner;
mod perform;
mod pictures;
mod prepare;
mod preview;
mod priority;
mod publish;
mod recorder;
mod rows;
mod sandbox;
mod scheduler;
mod snapshot;
mod stage_inputs;
mod summary;
mod task;
mod tensorboard;
mod traceback;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;
use std::time::{Instant, SystemTime};

use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::JSON_VERSION;

use crate::declare::{ExecutorDecl, Project};
use crate::event::Event;
use crate::plan::{Plan, Request};
use crate::store::{RunRecord, Sources, Store};
use crate::target::Target;
use context::{LazySandbox, Run};
use executor::News;
use executor::cluster::{Cluster, Known, check_store, note_engine};
use executor::local::Local;
use executor::mixed::{Mixed, cluster_of};
use recorder::Recorder;
use rows::Rate;
use scheduler::Scheduler;

pub use debug::{DebugJob, prepare_debug};
pub use environment::{Variable, VariableSource, WorkerEnvironment, worker_environment};
pub use executor::cluster::{
    Cancelled, ClusterCheck, ClusterJob, DETACHED_VARIABLE, NodeCheck, StageForecast, answer_check,
    cancel_jobs, check_cluster, cluster_jobs, detect_executor, engine_job, forecast, submit_engine,
};
pub use executor::local::{Machine, machine, supervise};
pub use executor::share::Share;
pub use interrupts::Interrupts;
pub use job::{JobSignal, NodeResources, perform_job};
pub use owner::check_owner;
pub use preview::{StagePreview, State, count_rows, left_out_by_only, preview};
pub use rows::{Compute, PreparedRows};
pub use snapshot::StoreSnapshot;
pub use summary::{RunOptions, RunSummary};

/// Runs a plan to its end. A failure blocks the stages that depend on it; other stages finish.
///
/// # Errors
/// Returns an error if the store cannot be used. Failures of stages are in the summary.
pub fn run(
    project: &Project,
    store: &Store,
    plan: &Plan,
    snapshot: &StoreSnapshot,
    options: &RunOptions,
    interrupts: &Interrupts,
    mut report: impl FnMut(&Event),
) -> Result<RunSummary> {
    if let Some(error) = nothing_can_run(plan) {
        return Err(error);
    }
    let executors = executors(project, plan, options.on.as_deref())?;
    let clock = Instant::now();
    let id = store.new_run_id(SystemTime::now());
    store.begin_run(&id)?;
    note_engine(store, &id);
    let mut recorder = Recorder::new(&store.run_dir(&id));
    let mut report = |event: &Event| {
        recorder.keep(event);
        report(event);
    };
    report(&started(&id, plan));
    let mut sources = Sources::load(store, &project.root);
    let owns_results = !options.ephemeral && plan.request.set.is_empty();
    let replaces = owns_results.then(|| snapshot.latest());
    let keep_failed = options.keep_failed;
    let run =
        Run { project, store, plan, id, replaces, keep_failed, job: None, sandbox: LazySandbox::default() };
    let (sender, receiver) = mpsc::channel();
    *interrupts.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
    let hashed = sources.learn(&plan.raw_files(), |done, total| {
        report(&Event::Hashing { done, total });
        !matches!(receiver.try_recv(), Ok(News::Interrupt))
    });
    let mut summary = if hashed {
        thread::scope(|scope| {
            let local = Local::new(&run, &options.machine, scope, (sender.clone(), &receiver));
            let cluster = |decl| {
                let row = |stage: &str| snapshot.row_seconds(store, stage);
                let known = Known {
                    seconds: Box::new(|stage| snapshot.seconds_somewhere(stage)),
                    rate: Box::new(move |stage| Some(Rate { start: 0.0, row: row(stage)? })),
                };
                Cluster::new(&run, decl, scope, sender.clone(), known)
            };
            let clusters = executors.iter().map(|(name, decl)| (name.clone(), cluster(decl))).collect();
            let executor = Mixed::new(local, clusters, options.on.clone());
            Scheduler::new(&run, options, &mut sources, snapshot, &mut report, executor).schedule()
        })
    } else {
        report(&Event::Stopping { workers: 0 });
        RunSummary { stopped: true, ..RunSummary::default() }
    };
    if let Some(error) = summary.refused.take() {
        return Err(error);
    }
    let seconds = clock.elapsed().as_secs_f64();
    if options.ephemeral {
        // A folder that cannot be removed is listed as a run, which does no harm.
        let _ = store.run_dir(&run.id).remove();
    } else {
        let remembered = remember(&run, snapshot, &mut summary, &mut sources, seconds);
        // If a stage failed, its error is more useful than this one.
        if summary.failed.is_empty() {
            remembered?;
        }
    }
    report(&Event::RunFinished {
        recorded: summary.run.as_ref() == Some(&run.id),
        shown: if summary.ran == 0 { summary.heads.len() } else { 0 },
        run: run.id,
        cached: summary.cached,
        ran: summary.ran,
        failed: plan.stages.len() - summary.cached - summary.ran,
        seconds,
    });
    Ok(summary)
}

/// Returns the error of a plan in which every stage needs a source without files.
fn nothing_can_run(plan: &Plan) -> Option<Error> {
    let mut blocked = vec![false; plan.stages.len()];
    for (position, stage) in plan.stages.iter().enumerate() {
        blocked[position] =
            !stage.missing.is_empty() || stage.upstream().iter().any(|producer| blocked[*producer]);
    }
    let first = plan.stages.iter().find_map(|stage| stage.missing.values().next())?;
    blocked.iter().all(|blocked| *blocked).then(|| first.error())
}

/// The clusters on which stages of the plan run, by name.
///
/// # Errors
/// Returns an error if one is not declared, or if its nodes cannot see the store.
fn executors(project: &Project, plan: &Plan, on: Option<&str>) -> Result<BTreeMap<String, ExecutorDecl>> {
    let named: BTreeSet<&str> =
        plan.stages.iter().filter_map(|stage| cluster_of(&stage.resources, on)).collect();
    named
        .into_iter()
        .map(|name| {
            let decl = project.executor(name)?;
            check_store(&decl, project)?;
            Ok((name.to_owned(), decl))
        })
        .collect()
}

fn started(id: &str, plan: &Plan) -> Event {
    let Request { target: Target { pipeline, dataset, profile }, set } = plan.request.clone();
    let (version, run, stages) = (JSON_VERSION, id.to_owned(), plan.stages.len());
    Event::RunStarted { version, run, pipeline, dataset, profile, set, stages }
}

/// Writes what later commands know of the run: latest results, record, and digests of raw files.
fn remember(
    run: &Run,
    snapshot: &StoreSnapshot,
    summary: &mut RunSummary,
    sources: &mut Sources,
    seconds: f64,
) -> Result<()> {
    let request = &run.plan.request;
    if let Some(known) = run.replaces
        && !summary.heads.is_empty()
    {
        let stages: BTreeSet<&str> = run.plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        let complete = summary.cached + summary.ran == stages.len() && snapshot.covers(&stages);
        run.store.create()?;
        run.store.register_next(summary.heads.values().map(AsRef::as_ref))?;
        run.store.update_latest(&run.project.root, known, &summary.heads, complete)?;
    }
    let (begun, Request { target, set }) = (run.begun().is_some(), request.clone());
    let record = RunRecord { id: run.id.clone(), target, set, seconds, stages: summary.stages.clone() };
    if !begun && summary.found_all() {
        // Results of `--set` are reached by their run, so there must be one.
        summary.run = if record.set.is_empty() { None } else { run.store.run_with_results_of(&record) };
    }
    if begun || !summary.found_all() || (!record.set.is_empty() && summary.run.is_none()) {
        summary.run = Some(record.id.clone());
        run.store.write_run(&record)?;
    }
    run.store.register(begun || !summary.heads.is_empty())?;
    let saved = sources.save(run.store);
    // A run that did nothing must also succeed in a project that cannot be written.
    if begun { saved } else { Ok(()) }
}
