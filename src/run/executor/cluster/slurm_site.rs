//! The site of a real run: Slurm, the store, and threads of this machine.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::Scope;
use std::time::Instant;

use callsheet_worker::error::Result;

use super::batch;
use super::errors::has_output;
use super::live::{LiveJob, find_live};
use super::queue::{Moment, Shape};
use super::row_state::{Done, RowAction};
use super::site::{JobNews, OtherWork, ReadNews, Site};
use super::slurm::{self, Array, End, Listed, Refusal, Stops};
use crate::declare::{ExecutorDecl, StageDecl};
use crate::run::action::Action;
use crate::run::context::Run;
use crate::run::executor::guard::guarded;
use crate::run::executor::{ActionId, News, Update};
use crate::run::task::{Engine, JobDir, Task, TaskSpec, TaskUpdate, list_news};
use crate::store::LockName;

/// Slurm, the store, and threads of this machine.
pub(super) struct SlurmSite<'s, 'a> {
    run: &'a Run<'a>,
    scope: &'s Scope<'s, 'a>,
    decl: &'a ExecutorDecl,
    news: Sender<News>,
    clock: Instant,
    /// This program, as submissions describe it; its file is hashed before the first one.
    engine: Option<Engine>,
    /// Number of times that the user has stopped the run.
    stops: Arc<Stops>,
}

impl<'s, 'a> SlurmSite<'s, 'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        scope: &'s Scope<'s, 'a>,
        decl: &'a ExecutorDecl,
        news: Sender<News>,
        stops: Arc<Stops>,
    ) -> Self {
        Self { run, scope, decl, news, clock: Instant::now(), engine: None, stops }
    }
}

impl<'s, 'a: 's> Site<'a> for SlurmSite<'s, 'a> {
    fn now(&self) -> Moment {
        self.clock.elapsed()
    }

    fn submit(
        &mut self,
        name: &str,
        shape: &Shape,
        jobs: &[Vec<Task>],
    ) -> Result<(JobDir, Result<String, Refusal>)> {
        let engine = match &self.engine {
            Some(engine) => engine.clone(),
            None => self.engine.insert(Engine::this()?).clone(),
        };
        let dir = batch::write(self.run, engine, name, jobs)?;
        let words = ["job", &dir.0.to_string_lossy()].map(str::to_owned);
        let script = batch::script(self.run.project, self.decl, &dir.0, &words)?;
        let array = Array { name, jobs: jobs.len(), shape, folder: &dir.0, script };
        let started = slurm::start(self.decl, &array, Some(&self.stops));
        Ok((dir, started))
    }

    fn list(&mut self, names: &[String]) -> Result<Option<Vec<Listed>>> {
        slurm::list(names, Some(&self.stops))
    }

    fn end(&mut self, arrays: &[String], how: End) -> Result<()> {
        slurm::end(arrays, how, Some(&self.stops))
    }

    fn news(&mut self, dir: &JobDir, read: &mut ReadNews) -> Vec<JobNews> {
        let now = self.now();
        let fresh = list_news(dir).into_iter().filter_map(|file| {
            let files = read.of(file.index, &file.attempt);
            if !files.is_next(file.number, now) {
                return None;
            }
            let news = file.read()?;
            files.add(file.number);
            // If this engine is killed, another one needs the ends of tasks only.
            let has_end = file.is_end || news.iter().any(|news| matches!(news.update, TaskUpdate::Ended(_)));
            if !has_end {
                let _ = fs::remove_file(&file.path);
            }
            Some(JobNews { index: file.index, attempt: file.attempt, news })
        });
        fresh.collect()
    }

    fn discard(&mut self, dir: &JobDir) {
        let _ = fs::remove_dir_all(&dir.0);
    }

    fn has_output(&self, dir: &JobDir, index: usize) -> bool {
        has_output(dir, index)
    }

    fn close(&mut self, dir: &JobDir) {
        let _ = fs::write(dir.closed(), "");
    }

    fn live(&mut self) -> Result<Option<Vec<LiveJob>>> {
        find_live(self.run, &self.stops)
    }

    fn other_work(&mut self, spec: &TaskSpec, decl: &StageDecl) -> Result<OtherWork> {
        let (run, key) = (self.run, &spec.key);
        if let Some(head) = run.store.hit(&key.digest(), decl) {
            return Ok(OtherWork::Done(head));
        }
        let mut holder = None;
        let mut ask = |who: &str| {
            holder = Some(who.to_owned());
            false
        };
        let scratch = LockName::Scratch(&key.scratch_digest());
        let is_free = run.store.claim(&key.digest(), &run.id, &mut ask)?.is_some()
            && run.store.claim_work(&scratch, &run.id, &mut ask)?.is_some();
        Ok(if is_free { OtherWork::Free } else { OtherWork::Held(holder.unwrap_or_default()) })
    }

    fn is_cancelled(&mut self) -> bool {
        // The name is listed: a name that was asked for may stay unknown for a while.
        let folder = self.run.store.run_dir(&self.run.id).path().to_owned();
        let mut names = fs::read_dir(folder).into_iter().flatten().flatten();
        names.any(|entry| entry.file_name() == JobDir::CANCEL)
    }

    fn plan_rows(&mut self, id: ActionId, shape: Shape, action: Box<Action<'a>>, sender: Sender<Done<'a>>) {
        let run = self.run;
        self.scope.spawn(move || {
            let planned = guarded(|| action.plan_rows(run));
            let _ = sender.send(Done::Planned(id, shape, action, planned));
        });
    }

    fn assemble(&mut self, id: ActionId, action: RowAction<'a>, sender: Sender<Done<'a>>) {
        let (run, news, now) = (self.run, self.news.clone(), self.now());
        self.scope.spawn(move || {
            let RowAction { mut action, plan, parts, rates, began, .. } = action;
            let seconds = now.saturating_sub(began).as_secs_f64();
            action.computed_rows = Some(plan.computed(&parts, rates.median(), seconds));
            let say = |update| {
                let _ = news.send(News::Update(id, update));
            };
            let outcome = guarded(|| action.perform(run, say));
            // The pool belongs to this run until here.
            drop(plan);
            let _ = news.send(News::Update(id, Update::Ended(outcome)));
            let _ = sender.send(Done::Assembled);
        });
    }
}
