//! Scheduler, which starts every stage as soon as its inputs are available and resources are free.

mod align;
mod lookup;
mod outcome;
#[cfg(test)]
mod scale_tests;
#[cfg(test)]
mod tests;
mod updates;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callsheet_worker::digest::Digest;

use super::changed_inputs::{InputContent, input_contents};
use super::context::Run;
use super::executor::{ActionId, Executor, News, Ready, ReadyQueue, Stop};
use super::prepare::prepare;
use super::priority::{Priority, priorities};
use super::snapshot::StoreSnapshot;
use super::summary::{RunOptions, RunSummary};
use crate::event::Event;
use crate::plan::StageInstance;
use crate::store::{LatestResult, Sources, StageResult, StageState};

/// Estimated duration of a stage that never ran.
const UNKNOWN_SECONDS: f64 = 1.0;

/// State of a stage during a run.
enum Status {
    /// A stage that it reads from is not done.
    Waiting,
    /// It must run, and waits until an executor takes it.
    Ready,
    Running(Begun),
    Done(Arc<LatestResult>),
    /// Failed, stopped, or blocked by a stage that failed.
    Lost,
}

/// An action that an executor has taken.
struct Begun {
    key: Digest,
    course: Digest,
    reasons: Vec<String>,
}

/// State of a run.
pub(super) struct Scheduler<'a, R, E> {
    run: &'a Run<'a>,
    options: &'a RunOptions,
    sources: &'a mut Sources,
    snapshot: &'a StoreSnapshot,
    report: R,
    executor: E,
    summary: RunSummary,
    status: Vec<Status>,
    /// For each stage, the number of stages that it reads from and that are not done.
    missing: Vec<usize>,
    consumers: Vec<Vec<usize>>,
    /// Computed when first needed.
    priorities: OnceCell<Vec<Priority>>,
    ready: BTreeMap<(Priority, ActionId), Ready>,
    running: usize,
    /// Stages whose cached results are shown once stale ones are hidden; none after that.
    unshown: Option<Vec<usize>>,
    /// Stages that were computed.
    made: BTreeSet<String>,
}

impl<'a, R: FnMut(&Event), E: Executor<'a>> Scheduler<'a, R, E> {
    /// Returns a scheduler that has not looked up any stage.
    pub(super) fn new(
        run: &'a Run<'a>,
        options: &'a RunOptions,
        sources: &'a mut Sources,
        snapshot: &'a StoreSnapshot,
        report: R,
        executor: E,
    ) -> Self {
        let stages = &run.plan.stages;
        let mut consumers = vec![Vec::new(); stages.len()];
        for (position, stage) in stages.iter().enumerate() {
            for producer in stage.upstream() {
                consumers[producer].push(position);
            }
        }
        Self {
            status: stages.iter().map(|_| Status::Waiting).collect(),
            missing: stages.iter().map(|stage| stage.upstream().len()).collect(),
            consumers,
            priorities: OnceCell::new(),
            ready: BTreeMap::new(),
            running: 0,
            unshown: Some(Vec::new()),
            made: BTreeSet::new(),
            summary: RunSummary::default(),
            run,
            options,
            sources,
            snapshot,
            report,
            executor,
        }
    }

    /// Runs the plan until it ends, or until the user stops it.
    pub(super) fn schedule(mut self) -> RunSummary {
        let roots = (0..self.status.len()).filter(|position| self.missing[*position] == 0);
        self.settle(roots.collect());
        self.align();
        if self.summary.refused.is_some() {
            return self.finish();
        }
        loop {
            while let Some(news) = self.executor.next(Some(Duration::ZERO)) {
                self.hear(news);
            }
            self.offer();
            if self.running == 0 {
                return self.finish();
            }
            match self.executor.next(None) {
                Some(news) => self.hear(news),
                None => return self.finish(),
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Update(position, update) => self.update(position, update),
            News::Interrupt => {
                let how = if self.summary.stopped { Stop::Now } else { Stop::Clean };
                self.stop(how);
            }
        }
    }

    fn finish(mut self) -> RunSummary {
        if self.summary.refused.is_none() {
            self.summary.refused = self.show_unselected().err();
        }
        if self.run.begun().is_some() || !self.summary.found_all() || !self.run.plan.request.set.is_empty() {
            for (stage, status) in self.run.plan.stages.iter().zip(&self.status) {
                let key = if let Status::Done(head) = status { Some(head.key) } else { None };
                let state = match (key, self.made.contains(&stage.name)) {
                    (None, _) => StageState::NotDone,
                    (Some(_), true) => StageState::Ran,
                    (Some(_), false) => StageState::Cached,
                };
                self.summary.stages.insert(stage.name.clone(), StageResult { state, key });
            }
        }
        self.summary
    }

    fn priority(&self, position: usize) -> Priority {
        let seconds =
            |stage: &StageInstance| self.snapshot.seconds_somewhere(&stage.name).unwrap_or(UNKNOWN_SECONDS);
        self.priorities.get_or_init(|| priorities(&self.run.plan.stages, &self.consumers, seconds))[position]
    }

    /// Offers the ready actions to the executor.
    fn offer(&mut self) {
        if self.summary.stopped {
            self.ready.clear();
        }
        if self.ready.is_empty() {
            return;
        }
        let mut begun = Vec::new();
        let Self { run, options, sources, snapshot, status, ready, executor, .. } = self;
        let run = *run;
        let made = |position: usize| match &status[position] {
            Status::Done(head) => Some(&head.outputs),
            _ => None,
        };
        let mut make = |position: ActionId, ready: Ready, share| {
            let force = options.force.contains(&run.plan.stages[position].name);
            let contents = || input_contents(sources, run.plan, &run.plan.stages[position], made);
            let started = Begun::new(run, snapshot, position, &ready, force, contents);
            let action = prepare(run, sources, position, ready, share, force, made)?;
            begun.push((position, started));
            Ok(action)
        };
        let mut queue = ReadyQueue::new(&run.plan.stages, ready, &mut make);
        let offered = executor.offer(&mut queue);
        let failed = queue.failed;
        self.running += begun.len();
        for (position, begun) in begun {
            self.status[position] = Status::Running(begun);
        }
        for (position, error) in failed {
            self.failed(position, error);
        }
        if let Err(error) = offered {
            self.summary.refused = Some(error);
        }
    }

    /// Starts no further action, and stops the running ones.
    fn stop(&mut self, how: Stop) {
        self.summary.stopped = true;
        (self.report)(&Event::Stopping { workers: self.running });
        self.executor.stop(how);
    }
}

impl Begun {
    fn new(
        run: &Run,
        snapshot: &StoreSnapshot,
        position: ActionId,
        ready: &Ready,
        force: bool,
        contents: impl FnOnce() -> BTreeMap<String, InputContent>,
    ) -> Self {
        let key = &ready.key;
        let digest = key.digest();
        let stage = &run.plan.stages[position];
        let is_latest = || snapshot.last(&stage.name).is_some_and(|head| head.key == digest);
        let forced = force && (is_latest() || snapshot.find(run.store, stage, &digest).is_some());
        let reasons = if forced {
            vec!["forced".to_owned()]
        } else {
            snapshot.reasons(run.store, stage, key, contents)
        };
        Self { key: digest, course: key.scratch_digest(), reasons }
    }
}
