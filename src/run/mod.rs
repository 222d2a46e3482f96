//! Running a plan: which stages are cached, when the others start, what becomes of them.

mod action;
mod children;
mod expand;
mod handover;
mod log;
mod outlook;
mod pictures;
mod priority;
mod process;
mod publish;
mod recorder;
mod resources;
mod rows;
mod scheduler;
mod survey;
mod tensorboard;
mod threads;
mod workplace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Instant, SystemTime};

use crate::declare::Project;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::plan::{Plan, Request, Stage};
use crate::store::{Head, RunRecord, Sources, StageResult, Store, out, run_id};
use recorder::Recorder;
use scheduler::{Message, Scheduler};
use workplace::Workplace;

pub use children::guard;
pub use outlook::{Outlook, State, count_rows, left_out_by_only, outlook};
pub use resources::{Machine, Share};
pub use rows::Compute;
pub use survey::Survey;

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// What all workers together may use.
    pub machine: Machine,
    /// Stages that are computed even if their result is in the store.
    pub force: BTreeSet<String>,
    /// If given, only these may be computed.
    pub only: Option<BTreeSet<String>>,
    /// A failure stops the run instead of what depends on it alone.
    pub fail_fast: bool,
    /// Leave no trace but results: they are neither shown nor the latest, the run is in no list.
    pub unseen: bool,
}

/// How a run went.
#[derive(Debug, Default)]
pub struct RunSummary {
    /// Stages whose result was found.
    pub cached: usize,
    /// Stages that ran.
    pub ran: usize,
    /// Stages that failed, and why.
    pub failed: Vec<(String, Error)>,
    /// The run was ended before its time.
    pub stopped: bool,
    /// What became of each stage; filled in when the run did anything.
    pub stages: BTreeMap<String, StageResult>,
    /// Why no stage can run at all.
    refused: Option<Error>,
    /// Latest actions that are others than before.
    heads: BTreeMap<String, Arc<Head>>,
}

impl RunSummary {
    /// Whether there was nothing to do, and nothing is shown that was not before.
    pub fn found_all(&self) -> bool {
        self.ran == 0 && self.failed.is_empty() && !self.stopped && self.heads.is_empty()
    }
}

/// What all actions of a run share.
pub struct Run<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where results go.
    pub store: &'a Store,
    /// The plan.
    pub plan: &'a Plan,
    /// The run's name.
    pub id: String,
    workplace: OnceLock<Workplace>,
}

impl Run<'_> {
    /// Where its workers work; made when the first of them is to start.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn workplace(&self) -> Result<&Workplace> {
        if let Some(workplace) = self.workplace.get() {
            return Ok(workplace);
        }
        let made = Workplace::new(self.project, self.store, &self.id)?;
        Ok(self.workplace.get_or_init(|| made))
    }

    fn begun(&self) -> Option<&Workplace> {
        self.workplace.get()
    }

    /// Where each artifact lies and where it is shown.
    fn views<'h>(&'h self, stage: &Stage, head: &'h Head) -> impl Iterator<Item = (PathBuf, PathBuf)> + 'h {
        let request = &self.plan.request;
        let folder = out(&self.project.data, &request.pipeline, &request.dataset).join(&stage.name);
        let shown = head.outputs.values().zip(&head.names);
        shown.map(move |(object, name)| (self.store.object_path(object), folder.join(name)))
    }
}

/// Tells a run that the user wants it to end; the second time, at once.
#[derive(Debug, Default)]
pub struct Interrupts(Mutex<Option<mpsc::Sender<Message>>>);

impl Interrupts {
    /// Interrupts the run that listens, if there is one.
    pub fn send(&self) -> bool {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().is_some_and(|sender| sender.send(Message::Interrupt).is_ok())
    }
}

/// Runs a plan to its end; a failure stops what depends on it and lets the rest finish.
///
/// # Errors
/// When the store cannot be used. Failures of stages are in the summary.
pub fn run(
    project: &Project,
    store: &Store,
    plan: &Plan,
    survey: &Survey,
    options: &RunOptions,
    interrupts: &Interrupts,
    mut report: impl FnMut(&Event),
) -> Result<RunSummary> {
    let clock = Instant::now();
    let id = run_id(SystemTime::now(), std::process::id());
    let mut recorder = Recorder::new(store.path("runs").join(&id));
    let mut report = |event: &Event| {
        recorder.keep(event);
        report(event);
    };
    let Request { pipeline, dataset, profile, set } = plan.request.clone();
    report(&Event::RunStarted {
        run: id.clone(),
        pipeline,
        dataset,
        profile,
        set,
        stages: plan.stages.len(),
    });
    let mut sources = Sources::load(store, &project.root);
    let run = Run { project, store, plan, id, workplace: OnceLock::new() };
    let (sender, receiver) = mpsc::channel();
    *interrupts.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
    let hashed = sources.learn(&plan.raw_files(), |done, total| {
        report(&Event::Hashing { done, total });
        !matches!(receiver.try_recv(), Ok(Message::Interrupt))
    });
    let mut summary = if hashed {
        thread::scope(|scope| {
            let scheduler = Scheduler::new(&run, options, &mut sources, survey, &mut report);
            scheduler.schedule(scope, &sender, &receiver)
        })
    } else {
        report(&Event::Stopping { workers: 0 });
        RunSummary { stopped: true, ..RunSummary::default() }
    };
    if let Some(error) = summary.refused.take() {
        return Err(error);
    }
    let seconds = clock.elapsed().as_secs_f64();
    let remembered = if options.unseen {
        let _ = std::fs::remove_dir_all(store.path("runs").join(&run.id));
        Ok(())
    } else {
        remember(&run, survey, &summary, &mut sources, seconds)
    };
    // A failed stage is the better message.
    if summary.failed.is_empty() {
        remembered?;
    }
    report(&Event::RunFinished {
        run: run.id.clone(),
        cached: summary.cached,
        ran: summary.ran,
        failed: plan.stages.len() - summary.cached - summary.ran,
        seconds,
    });
    Ok(summary)
}

fn remember(
    run: &Run,
    survey: &Survey,
    summary: &RunSummary,
    sources: &mut Sources,
    seconds: f64,
) -> Result<()> {
    let request = &run.plan.request;
    if !summary.heads.is_empty() {
        let stages: BTreeSet<&str> = run.plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        let complete = summary.cached + summary.ran == stages.len() && survey.covers(&stages);
        run.store.update_heads(&request.pipeline, &request.dataset, &summary.heads, complete)?;
    }
    if run.begun().is_some() {
        let Request { pipeline, dataset, profile, set } = request.clone();
        let stages = summary.stages.clone();
        run.store.write_run(&RunRecord {
            id: run.id.clone(),
            pipeline,
            dataset,
            profile,
            set,
            seconds,
            stages,
        })?;
    }
    sources.save(run.store)
}
