//! Starts every stage as soon as its inputs are there and its share of the machine is free.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::Scope;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::protocol::RequestInput;
use rustix::process::Signal;

use super::action::{Action, Outcome, Said};
use super::context::Run;
use super::message::Message;
use super::outlook::{file_name, key_of, left_out_by_only, row_files, rows};
use super::priority::{Priority, priorities};
use super::resources::{Machine, Share};
use super::summary::{RunOptions, RunSummary};
use super::survey::Survey;
use super::threads::Threads;
use crate::event::Event;
use crate::key::ActionKey;
use crate::plan::{Input, Stage, json, suffix};
use crate::reason::reasons;
use crate::store::{Head, Object, Sources, StageResult, Watch, name_below, show_artifact};

/// What a stage is thought to take that never ran.
const UNKNOWN_SECONDS: f64 = 1.0;

/// Where a stage is.
enum Status {
    /// Something it reads from is not done.
    Waiting,
    /// It must run, and waits for its share of the machine.
    Ready,
    Running,
    Done(Arc<Head>),
    /// Failed, or blocked by a stage that failed.
    Lost,
}

/// One run's state.
pub(super) struct Scheduler<'a, R> {
    run: &'a Run<'a>,
    options: &'a RunOptions,
    sources: &'a mut Sources,
    survey: &'a Survey,
    report: R,
    summary: RunSummary,
    status: Vec<Status>,
    /// How many stages that it reads from are not done, of each stage.
    missing: Vec<usize>,
    consumers: Vec<Vec<usize>>,
    /// Found out when first asked for.
    priorities: OnceCell<Vec<Priority>>,
    ready: BTreeMap<(Priority, usize), (ActionKey, Watch)>,
    shares: BTreeMap<usize, Share>,
    free: Machine,
    running: usize,
    /// Stages that were computed.
    made: BTreeSet<String>,
    threads: Threads<'a>,
}

impl<'a, R: FnMut(&Event)> Scheduler<'a, R> {
    /// Nothing is looked up yet.
    pub(super) fn new(
        run: &'a Run<'a>,
        options: &'a RunOptions,
        sources: &'a mut Sources,
        survey: &'a Survey,
        report: R,
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
            shares: BTreeMap::new(),
            free: options.machine.clone(),
            running: 0,
            made: BTreeSet::new(),
            threads: Threads::default(),
            summary: RunSummary::default(),
            run,
            options,
            sources,
            survey,
            report,
        }
    }

    /// Runs the plan to its end, or to where the user stops it.
    pub(super) fn schedule<'s>(
        mut self,
        scope: &'s Scope<'s, 'a>,
        sender: &Sender<Message>,
        receiver: &Receiver<Message>,
    ) -> RunSummary
    where
        'a: 's,
    {
        let roots = (0..self.status.len()).filter(|position| self.missing[*position] == 0);
        self.settle(roots.collect());
        loop {
            while let Ok(message) = receiver.try_recv() {
                self.hear(message);
            }
            self.start_ready(scope, sender);
            if self.running == 0 {
                return self.finish();
            }
            match receiver.recv() {
                Ok(message) => self.hear(message),
                Err(_) => return self.finish(),
            }
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Event(event) => (self.report)(&event),
            Message::Released(position) => self.release_early(position),
            Message::Ended(position, outcome) => self.ended(position, outcome),
            Message::Interrupt => {
                let signal = if self.summary.stopped { Signal::KILL } else { Signal::TERM };
                self.stop(signal);
            }
        }
    }

    fn finish(mut self) -> RunSummary {
        if self.run.begun().is_some() {
            for (stage, status) in self.run.plan.stages.iter().zip(&self.status) {
                let key = if let Status::Done(head) = status { Some(head.key) } else { None };
                let state = match (key, self.made.contains(&stage.name)) {
                    (None, _) => "not done",
                    (Some(_), true) => "ran",
                    (Some(_), false) => "cached",
                };
                self.summary.stages.insert(stage.name.clone(), StageResult { state: state.into(), key });
            }
        }
        self.summary
    }

    /// Looks up stages whose inputs are all there, and those that this makes ready in turn.
    fn settle(&mut self, mut open: BTreeSet<usize>) {
        while let Some(position) = open.pop_first() {
            match self.look_up(position) {
                Ok(Some(head)) => {
                    self.summary.cached += 1;
                    let stage = self.run.plan.stages[position].name.clone();
                    (self.report)(&Event::Cached { stage, key: head.key });
                    open.extend(self.done(position, head));
                }
                Ok(None) => self.status[position] = Status::Ready,
                Err(error) => self.failed(position, error),
            }
        }
    }

    /// The result of a stage, if it is in the store and need not be made anew.
    fn look_up(&mut self, position: usize) -> Result<Option<Arc<Head>>> {
        let stage = &self.run.plan.stages[position];
        let watch = self.watch(stage)?;
        let status = &self.status;
        let objects = |producer: usize| match &status[producer] {
            Status::Done(head) => Some(&head.outputs),
            _ => None,
        };
        let key = key_of(self.sources, self.run.plan, stage, objects)?;
        let forced = self.options.force.contains(&stage.name);
        let digest = key.digest();
        if !forced && let Some(head) = self.survey.find(self.run.store, stage, &digest) {
            return Ok(Some(head));
        }
        if self.options.only.as_ref().is_some_and(|only| !only.contains(&stage.name)) {
            return Err(left_out_by_only(&stage.name));
        }
        self.options.machine.check(&stage.name, &stage.resources)?;
        self.ready.insert((self.priority(position), position), (key, watch));
        Ok(None)
    }

    fn priority(&self, position: usize) -> Priority {
        let seconds = |stage: &Stage| self.survey.seconds_somewhere(&stage.name).unwrap_or(UNKNOWN_SECONDS);
        self.priorities.get_or_init(|| priorities(&self.run.plan.stages, &self.consumers, seconds))[position]
    }

    fn start_ready<'s>(&mut self, scope: &'s Scope<'s, 'a>, sender: &Sender<Message>)
    where
        'a: 's,
    {
        if self.summary.stopped {
            self.ready.clear();
        }
        let positions: Vec<(Priority, usize)> = self.ready.keys().copied().collect();
        if !positions.is_empty()
            && let Err(error) = self.run.workplace()
        {
            self.summary.refused = Some(error);
            return;
        }
        for (priority, position) in positions {
            if self.free.cpus == 0 {
                return;
            }
            let wanted = &self.run.plan.stages[position].resources;
            let Some(share) = self.free.take(wanted, &self.options.machine) else { continue };
            let Some((key, watch)) = self.ready.remove(&(priority, position)) else { continue };
            self.shares.insert(position, share.clone());
            match self.action(position, key, watch, share) {
                Ok(action) => self.start(position, action, scope, sender.clone()),
                Err(error) => {
                    self.release(position);
                    self.failed(position, error);
                }
            }
        }
    }

    fn start<'s>(
        &mut self,
        position: usize,
        action: Action<'a>,
        scope: &'s Scope<'s, 'a>,
        sender: Sender<Message>,
    ) where
        'a: 's,
    {
        self.status[position] = Status::Running;
        self.running += 1;
        let run = self.run;
        let key = action.key.digest();
        let course = action.key.scratch_digest();
        let last = self.survey.last(&action.stage.name).and_then(|head| run.store.record(&head.key));
        let mut why = reasons(last.as_ref().map(|record| &record.key), &action.key);
        if action.force && last.is_some_and(|record| record.key == action.key) {
            why = vec!["forced".to_owned()];
        }
        self.threads.run(scope, move || {
            let name = || action.stage.name.clone();
            let say = |said| {
                let _ = sender.send(match said {
                    Said::Waiting(holder) => Message::Event(Event::Waiting { stage: name(), holder }),
                    Said::Started { resumes } => {
                        let (stage, reasons) = (name(), why.clone());
                        Message::Event(Event::Started { stage, key, course, resumes, reasons })
                    }
                    Said::Rows { missing, of } => {
                        Message::Event(Event::Rows { stage: name(), compute: missing, of })
                    }
                    Said::Worker(said) => Message::Event(Event::Worker { stage: name(), said }),
                    Said::Retry(error, pause) => Message::Event(Event::Retrying {
                        stage: name(),
                        message: error.to_string(),
                        seconds: pause.as_secs_f64(),
                    }),
                    Said::Released => Message::Released(position),
                });
            };
            let outcome = catch_unwind(AssertUnwindSafe(|| action.perform(run, say)));
            let outcome = outcome.unwrap_or_else(|_| {
                Err(Error::refused(
                    Code::Internal,
                    "callsheet itself failed at this stage",
                    "please report what it said above",
                ))
            });
            let _ = sender.send(Message::Ended(position, outcome));
        });
    }

    /// Raw files and scripts of a stage, as they are before its key is computed.
    fn watch(&self, stage: &Stage) -> Result<Watch> {
        let raw = stage.inputs.values().flat_map(|input| match input {
            Input::Source { files, .. } => files.as_slice(),
            Input::Artifact { .. } | Input::Gather { .. } => &[],
        });
        let raw = raw.map(|file| self.run.project.root.join(file));
        Watch::start(raw.chain(stage.decl.scripts.iter().map(|(_, path)| path.clone())))
    }

    fn action(&mut self, position: usize, key: ActionKey, watch: Watch, share: Share) -> Result<Action<'a>> {
        let run = self.run;
        let stage = &run.plan.stages[position];
        let mut inputs = BTreeMap::new();
        let mut sources = BTreeMap::new();
        let mut objects = Vec::new();
        for (name, input) in &stage.inputs {
            let input = match input {
                Input::Source { files, base, .. } => {
                    sources.extend(self.sources.digest_all(files, base)?.1);
                    RequestInput {
                        paths: files.iter().map(|f| run.project.root.join(f)).collect(),
                        names: files.iter().map(|file| name_below(file, base)).collect(),
                        values: Vec::new(),
                    }
                }
                Input::Artifact { stage: producer, output } => {
                    let object = self.made_by(*producer, output);
                    objects.push(object.clone());
                    RequestInput {
                        paths: vec![run.store.object_path(object)],
                        names: file_name(run.plan, stage, name, input).into_iter().collect(),
                        values: Vec::new(),
                    }
                }
                Input::Gather { stages, output } => {
                    let made = stages.iter().map(|stage| self.made_by(*stage, output));
                    let values = || stages.iter().map(|stage| &run.plan.stages[*stage].values);
                    objects.extend(made.clone().cloned());
                    RequestInput {
                        paths: made.map(|object| run.store.object_path(object)).collect(),
                        names: values().map(suffix).collect(),
                        values: values().map(json).collect(),
                    }
                }
            };
            inputs.insert(name.clone(), input);
        }
        let force = self.options.force.contains(&stage.name);
        let status = &self.status;
        let made = |producer: usize| match &status[producer] {
            Status::Done(head) => Some(&head.outputs),
            _ => None,
        };
        let files = row_files(self.sources, run.plan, stage, made)?;
        Ok(Action { stage, key, inputs, files, sources, objects, share, watch, force })
    }

    /// An output of a stage that is done.
    fn made_by(&self, position: usize, output: &str) -> &Object {
        let Status::Done(head) = &self.status[position] else { unreachable!("the producer is done") };
        head.outputs.get(output).expect("what a stage declares is in its record")
    }

    /// Gives a worker's share back before its result is in the store, unless a stage that waits for that result comes
    /// before all that would take the share in the meantime.
    fn release_early(&mut self, position: usize) {
        let waits = self.consumers[position].iter().filter(|consumer| self.missing[**consumer] == 1);
        let next = waits.map(|consumer| self.priority(*consumer)).min();
        let ready = self.ready.keys().next().map(|(priority, _)| *priority);
        if next.zip(ready).is_none_or(|(next, ready)| ready <= next) {
            self.release(position);
        }
    }

    fn release(&mut self, position: usize) {
        if let Some(share) = self.shares.remove(&position) {
            self.free.give(share);
        }
    }

    fn ended(&mut self, position: usize, outcome: Result<Outcome>) {
        self.release(position);
        self.running -= 1;
        let stage = self.run.plan.stages[position].name.clone();
        let head = match outcome {
            Ok(Outcome::Made(head)) => {
                let rows = rows(&head.outputs);
                self.made.insert(stage.clone());
                (self.report)(&Event::Finished { stage, key: head.key, seconds: head.seconds, rows });
                self.summary.ran += 1;
                head
            }
            Ok(Outcome::Taken(head)) => {
                (self.report)(&Event::Cached { stage, key: head.key });
                self.summary.cached += 1;
                head
            }
            Ok(Outcome::Stopped) => {
                self.status[position] = Status::Lost;
                (self.report)(&Event::Stopped { stage });
                return;
            }
            Err(error) => return self.failed(position, error),
        };
        let next = self.done(position, head);
        self.settle(next);
    }

    /// Shows a result; returns the stages that have all their inputs now.
    fn done(&mut self, position: usize, head: Arc<Head>) -> BTreeSet<usize> {
        let run = self.run;
        let stage = &run.plan.stages[position];
        if !self.options.unseen && !self.survey.shows(&stage.name, &head) {
            let mut artifacts = run.views(stage, &head);
            // The result is in the store whether or not it can be shown: what reads it goes on.
            if let Err(error) =
                artifacts.try_for_each(|(at, link)| show_artifact(&at, &link, &run.project.data))
            {
                self.tell_failure(position, error);
            }
            self.summary.heads.insert(stage.name.clone(), head.clone());
        }
        self.status[position] = Status::Done(head);
        let mut next = BTreeSet::new();
        for consumer in &self.consumers[position] {
            self.missing[*consumer] -= 1;
            if self.missing[*consumer] == 0 && !matches!(self.status[*consumer], Status::Lost) {
                next.insert(*consumer);
            }
        }
        next
    }

    /// A stage has failed: so has everything that reads from it.
    fn failed(&mut self, position: usize, error: Error) {
        self.tell_failure(position, error);
        self.status[position] = Status::Lost;
        let mut open = vec![position];
        while let Some(by) = open.pop() {
            for consumer in self.consumers[by].clone() {
                if matches!(self.status[consumer], Status::Waiting) {
                    self.status[consumer] = Status::Lost;
                    let name = |position: usize| self.run.plan.stages[position].name.clone();
                    (self.report)(&Event::Blocked { stage: name(consumer), by: name(by) });
                    open.push(consumer);
                }
            }
        }
        if self.options.fail_fast && !self.summary.stopped {
            self.stop(Signal::TERM);
        }
    }

    fn tell_failure(&mut self, position: usize, error: Error) {
        let stage = self.run.plan.stages[position].name.clone();
        let help = miette::Diagnostic::help(&error).map(|h| h.to_string()).unwrap_or_default();
        let (code, message) = (error.kind().to_string(), error.to_string());
        (self.report)(&Event::Failed { stage: stage.clone(), code, message, help });
        self.summary.failed.push((stage, error));
    }

    /// Starts nothing more and sends the workers a signal.
    fn stop(&mut self, signal: Signal) {
        self.summary.stopped = true;
        (self.report)(&Event::Stopping { workers: self.running });
        if let Some(workplace) = self.run.begun() {
            workplace.children.stop(signal);
        }
    }
}
