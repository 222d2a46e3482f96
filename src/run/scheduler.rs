//! Starts every stage as soon as its inputs are there and its CPUs are free.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, Scope};
use std::time::{Instant, SystemTime};

use super::action::{Action, Outcome};
use super::outlook::key_of;
use crate::declare::{Cpus, Project};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::key::{ActionKey, Digest, scripts};
use crate::plan::{Input, Plan, Stage};
use crate::protocol::RequestInput;
use crate::reason::reasons;
use crate::store::{Heads, Object, Sources, Store, Watch, show_artifact};

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// CPUs that all workers together may use.
    pub cpus: usize,
}

/// How a run went.
#[derive(Debug)]
pub struct RunSummary {
    /// Stages whose result was found.
    pub cached: usize,
    /// Stages that ran.
    pub ran: usize,
    /// Stages that failed, with message and help.
    pub failed: Vec<(String, Error)>,
}

type Objects = BTreeMap<String, Object>;

enum Status {
    Pending,
    Running,
    Done(Objects),
    /// Failed, or blocked by a stage that failed.
    Lost,
}

struct Ended {
    position: usize,
    key: Digest,
    cpus: usize,
    outcome: Result<Outcome>,
}

enum Message {
    Event(Event),
    Ended(Ended),
}

/// Runs a plan to its end; a failure stops what depends on it and lets the rest finish.
///
/// # Errors
/// When the store cannot be used. Failures of stages are in the summary.
pub fn run(
    project: &Project,
    store: &Store,
    plan: &Plan,
    options: RunOptions,
    mut report: impl FnMut(&Event),
) -> Result<RunSummary> {
    store.create()?;
    let clock = Instant::now();
    let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let id = format!("{}-{}", time.replace(':', "-"), std::process::id());
    report(&Event::RunStarted { run: id.clone(), stages: plan.stages.len() });
    let heads = store.heads(&plan.request.pipeline, &plan.request.dataset);
    let mut runner = Runner {
        project,
        store,
        plan,
        options,
        sources: Sources::load(store, &project.root),
        status: plan.stages.iter().map(|_| Status::Pending).collect(),
        free: options.cpus,
        heads,
        id: &id,
        revision: None,
        summary: RunSummary { cached: 0, ran: 0, failed: Vec::new() },
    };
    let result = thread::scope(|scope| runner.schedule(scope, &mut report));
    runner.sources.save(store)?;
    result?;
    let summary = runner.summary;
    report(&Event::RunFinished {
        run: id,
        cached: summary.cached,
        ran: summary.ran,
        failed: (plan.stages.len() - summary.cached - summary.ran).max(summary.failed.len()),
        seconds: clock.elapsed().as_secs_f64(),
    });
    Ok(summary)
}

struct Runner<'a> {
    project: &'a Project,
    store: &'a Store,
    plan: &'a Plan,
    options: RunOptions,
    sources: Sources,
    status: Vec<Status>,
    free: usize,
    heads: Heads,
    id: &'a str,
    revision: Option<String>,
    summary: RunSummary,
}

impl<'a> Runner<'a> {
    fn schedule<'s>(&mut self, scope: &'s Scope<'s, 'a>, report: &mut impl FnMut(&Event)) -> Result<()>
    where
        'a: 's,
    {
        let (sender, receiver) = mpsc::channel();
        loop {
            for position in 0..self.plan.stages.len() {
                self.consider(position, scope, &sender, report)?;
            }
            if !self.status.iter().any(|s| matches!(s, Status::Running)) {
                return Ok(());
            }
            match receiver.recv() {
                Ok(Message::Event(event)) => report(&event),
                Ok(Message::Ended(ended)) => {
                    self.free += ended.cpus;
                    self.ended(ended, report)?;
                }
                Err(_) => return Ok(()),
            }
        }
    }

    /// Starts a pending stage, or finds its result, if its inputs are there and its CPUs free.
    fn consider<'s>(
        &mut self,
        position: usize,
        scope: &'s Scope<'s, 'a>,
        sender: &Sender<Message>,
        report: &mut impl FnMut(&Event),
    ) -> Result<()>
    where
        'a: 's,
    {
        let plan = self.plan;
        let stage = &plan.stages[position];
        if !matches!(self.status[position], Status::Pending) {
            return Ok(());
        }
        for producer in stage.upstream() {
            match self.status[producer] {
                Status::Done(_) => {}
                Status::Lost => {
                    self.status[position] = Status::Lost;
                    let by = plan.stages[producer].name.clone();
                    report(&Event::Blocked { stage: stage.name.clone(), by });
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
        let status = &self.status;
        let objects = |producer: usize| match &status[producer] {
            Status::Done(objects) => Some(objects),
            _ => None,
        };
        let watch = self.watch(stage)?;
        let key = key_of(self.project, &mut self.sources, stage, objects)?;
        let digest = key.digest();
        if let Some((_, objects)) = self.store.hit(&digest, &stage.decl) {
            report(&Event::Cached { stage: stage.name.clone(), key: digest.clone() });
            self.summary.cached += 1;
            return self.done(position, digest, objects, report);
        }
        let cpus = match stage.decl.cpus {
            Cpus::All => self.options.cpus,
            Cpus::Count(count) => count.min(self.options.cpus),
        };
        if cpus > self.free {
            return Ok(());
        }
        self.free -= cpus;
        self.status[position] = Status::Running;
        let action = self.action(position, key, watch, cpus)?;
        let why = self.heads.get(&stage.name).and_then(|head| self.store.record(head));
        let why = reasons(why.as_ref().map(|record| &record.key), &action.key);
        let sender = sender.clone();
        let key = digest.clone();
        scope.spawn(move || {
            let tell = |event| drop(sender.send(Message::Event(event)));
            let name = || stage.name.clone();
            let outcome = action.perform(
                || tell(Event::Waiting { stage: name() }),
                || tell(Event::Started { stage: name(), key: digest, reasons: why }),
                |said| tell(Event::Worker { stage: name(), said }),
            );
            let _ = sender.send(Message::Ended(Ended { position, key, cpus, outcome }));
        });
        Ok(())
    }

    /// Raw files and scripts of a stage, as they are before its key is computed.
    fn watch(&self, stage: &Stage) -> Result<Watch> {
        let raw = stage.inputs.values().flat_map(|input| match input {
            Input::Source { files, .. } => files.as_slice(),
            Input::Artifact { .. } => &[],
        });
        let raw = raw.map(|file| self.project.root.join(file));
        Watch::start(raw.chain(scripts(self.project, &stage.decl).into_iter().map(|(_, path)| path)))
    }

    fn action(&mut self, position: usize, key: ActionKey, watch: Watch, cpus: usize) -> Result<Action<'a>> {
        let stage = &self.plan.stages[position];
        let mut inputs = BTreeMap::new();
        let mut sources = BTreeMap::new();
        for (name, input) in &stage.inputs {
            let input = match input {
                Input::Source { files, base, .. } => {
                    sources.extend(self.sources.digest_all(files)?.1);
                    let name = |f: &PathBuf| f.strip_prefix(base).unwrap_or(f).to_string_lossy().into_owned();
                    RequestInput {
                        paths: files.iter().map(|f| self.project.root.join(f)).collect(),
                        names: files.iter().map(name).collect(),
                    }
                }
                Input::Artifact { stage, output } => {
                    let Status::Done(objects) = &self.status[*stage] else {
                        unreachable!("the producer is done")
                    };
                    let object = &objects[output];
                    RequestInput {
                        paths: vec![self.store.object_path(object)],
                        names: vec![self.plan.stages[*stage].decl.outputs[output].path.clone()],
                    }
                }
            };
            inputs.insert(name.clone(), input);
        }
        if self.revision.is_none() {
            self.revision = Some(revision(self.project).unwrap_or_default());
        }
        let revision = self.revision.clone().filter(|r| !r.is_empty());
        let (project, store, plan, run) = (self.project, self.store, self.plan, self.id);
        Ok(Action { project, store, plan, stage, key, inputs, sources, cpus, run, watch, revision })
    }

    fn ended(&mut self, ended: Ended, report: &mut impl FnMut(&Event)) -> Result<()> {
        let Ended { position, key, outcome, .. } = ended;
        let stage = self.plan.stages[position].name.clone();
        let objects = match outcome {
            Ok(Outcome::Made(objects, seconds)) => {
                let rows = objects.iter().filter_map(|(n, o)| Some((n.clone(), o.rows?))).collect();
                report(&Event::Finished { stage, key: key.clone(), seconds, rows });
                self.summary.ran += 1;
                objects
            }
            Ok(Outcome::Taken(objects)) => {
                report(&Event::Cached { stage, key: key.clone() });
                self.summary.cached += 1;
                objects
            }
            Err(error) => {
                self.status[position] = Status::Lost;
                self.failed(&stage, error, report);
                return Ok(());
            }
        };
        self.done(position, key, objects, report)
    }

    fn failed(&mut self, stage: &str, error: Error, report: &mut impl FnMut(&Event)) {
        let help = miette::Diagnostic::help(&error).map(|h| h.to_string()).unwrap_or_default();
        report(&Event::Failed { stage: stage.to_owned(), message: error.to_string(), help });
        self.summary.failed.push((stage.to_owned(), error));
    }

    fn done(
        &mut self,
        position: usize,
        key: Digest,
        objects: Objects,
        report: &mut impl FnMut(&Event),
    ) -> Result<()> {
        let request = &self.plan.request;
        let stage = &self.plan.stages[position];
        let folder =
            self.project.data.join("out").join(&request.pipeline).join(&request.dataset).join(&stage.name);
        let show = |(name, object): (&String, &Object)| {
            let link = folder.join(&stage.decl.outputs[name].path);
            show_artifact(&self.store.object_path(object), &link, &self.project.data)
        };
        // The result is in the store whether or not it can be shown: what reads it goes on.
        if let Err(error) = objects.iter().try_for_each(show) {
            self.failed(&stage.name, error, report);
        }
        if self.heads.get(&stage.name) != Some(&key) {
            self.heads.insert(stage.name.clone(), key);
            self.store.write_heads(&request.pipeline, &request.dataset, &self.heads)?;
        }
        self.status[position] = Status::Done(objects);
        Ok(())
    }
}

/// The project's git revision, with `+` if tracked files were changed; none without git.
fn revision(project: &Project) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(&project.root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed { format!("{head}+") } else { head })
}
