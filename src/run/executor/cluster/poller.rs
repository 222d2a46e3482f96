//! Thread of a cluster: submits tasks, reads the news of their jobs, and looks for jobs that ended without news.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use callsheet_worker::error::Result;
use callsheet_worker::protocol::{Level, WorkerEvent};

use super::calls::Calls;
use super::live::Live;
use super::queue::{BatchId, Limits, Moment, NewTask, Queue, Shape, TaskId};
use super::row_state::RowActions;
use super::site::{ReadNews, Site};
use super::slurm::{ASK_AGAIN, End};
use crate::declare::{ExecutorDecl, StageDecl};
use crate::run::action::Action;
use crate::run::executor::{ActionId, News, Outcome, Stop, Update};
use crate::run::rows::Rate;
use crate::run::task::{JobDir, TaskSpec};

/// Time between two looks at the news of jobs, and between two looks for actions without jobs.
const LOOK: Duration = Duration::from_millis(250);
const LOOK_IDLE: Duration = Duration::from_secs(10);

/// Factor between the time that a look at all news takes and the time until the next one: a slow file system is not asked
/// all the time.
const PAUSE: u32 = 20;

/// Time between two listings of jobs, and in the first moments after the user has stopped the run.
const LIST_EVERY: Duration = Duration::from_secs(10);
const LIST_EVERY_AT_FIRST: Duration = Duration::from_secs(1);
const AT_FIRST: Duration = Duration::from_secs(15);

/// Time between a refused submission and the next try; each further time is twice as long.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Time for which the poller collects tasks before it submits them.
const COLLECT: Duration = Duration::from_millis(50);

/// Time between the end of a job and the moment at which it counts as lost, for its news to become visible. NFS remembers
/// for up to a minute what a folder contains.
const GRACE: Duration = Duration::from_secs(15);
const LONG_GRACE: Duration = Duration::from_secs(90);

/// Largest number of samples of a stage whose duration is not known.
const SAMPLES: usize = 16;

/// Largest number of jobs in one array: the default limit of Slurm is 1,001.
const LONGEST_ARRAY: usize = 1000;

/// Function of the name of a stage instance.
type Of<'a, T> = Box<dyn Fn(&str) -> Option<T> + Send + 'a>;

/// Durations of earlier runs.
pub(in crate::run) struct Known<'a> {
    /// Seconds that a stage instance took before.
    pub seconds: Of<'a, f64>,
    /// Seconds that each row of a row-wise stage took before.
    pub rate: Of<'a, Rate>,
}

/// Message to the poller.
pub(super) enum Order<'a> {
    Take(ActionId, Shape, Box<Action<'a>>),
    Stop(Stop),
}

/// A task that was not over when the poller last looked.
pub(super) struct Taken {
    pub id: ActionId,
    pub spec: Arc<TaskSpec>,
    pub decl: Arc<StageDecl>,
    /// True if it is a shard of a row-wise action.
    pub is_shard: bool,
}

/// A submission, as the cluster knows it.
pub(super) struct Sent {
    pub name: String,
    pub dir: JobDir,
    /// Id of the array; `None` if the answer of the cluster was lost.
    pub array: Option<String>,
    /// Tasks of each job by position; those of an earlier run that nobody needs have none.
    pub jobs: Vec<Vec<Option<TaskId>>>,
    pub read: ReadNews,
    /// Time of the submission.
    pub since: Moment,
    /// True if an earlier run submitted it.
    pub is_adopted: bool,
    /// True if jobs of it may go on although its tasks are over.
    pub may_live: bool,
}

impl Sent {
    pub(super) fn new(
        name: String,
        dir: JobDir,
        array: Option<String>,
        jobs: Vec<Vec<Option<TaskId>>>,
        since: Moment,
    ) -> Self {
        Self { name, dir, array, jobs, read: ReadNews::default(), since, is_adopted: false, may_live: false }
    }
}

/// State of the thread.
pub(super) struct Poller<'a, S> {
    pub site: S,
    /// Id of the run.
    pub run: String,
    pub decl: &'a ExecutorDecl,
    pub news: Sender<News>,
    pub known: Known<'a>,
    pub queue: Queue,
    pub tasks: BTreeMap<TaskId, Taken>,
    pub sent: BTreeMap<BatchId, Sent>,
    pub rows: RowActions<'a>,
    /// Live jobs of earlier runs; `None` until the cluster has listed them.
    pub live: Option<Live>,
    /// Earliest time of the next try to list them.
    pub next_live: Moment,
    /// Actions that were taken before live jobs were known.
    early: Vec<(ActionId, Shape, Box<Action<'a>>)>,
    listed: Moment,
    /// Time until the next look at news.
    pub pause: Duration,
    /// Calls of Slurm's programs that are allowed now.
    pub calls: Calls,
    /// Jobs whose results nobody needs.
    pub unneeded: Vec<String>,
    /// Names of submissions that were submitted again because the cluster did not list them.
    pub doubtful: BTreeMap<String, Moment>,
    /// True if the cluster did not answer when it was last asked.
    is_silent: bool,
    /// Earliest time of the next submission, and the pause before it.
    pub next: (Moment, Duration),
    pub stopping: Option<Stop>,
    /// Time at which the user stopped the run.
    stopped: Moment,
    /// Tasks that other runs perform, and the time of the next look at them.
    pub leased: BTreeMap<TaskId, Moment>,
    /// Last reported run that holds the work of each action.
    pub waits_for: BTreeMap<ActionId, String>,
    /// True if the user has cancelled the run from elsewhere, and the time of the last look.
    pub is_cancelled: bool,
    pub looked: Moment,
    /// Time at which jobs were last asked to end.
    asked: Moment,
    /// Last reported reason why the jobs of each action wait.
    pub reasons: BTreeMap<ActionId, Option<String>>,
    /// Number of submissions so far.
    pub count: u32,
}

impl<'a, S: Site<'a>> Poller<'a, S> {
    pub(super) fn new(
        site: S,
        run: String,
        decl: &'a ExecutorDecl,
        news: Sender<News>,
        known: Known<'a>,
    ) -> Self {
        let samples = SAMPLES.min(decl.max_jobs as usize);
        let limits = Limits {
            job_seconds: decl.job_time.as_secs_f64(),
            samples,
            array: LONGEST_ARRAY,
            grace: GRACE,
            long_grace: LONG_GRACE,
        };
        let now = site.now();
        Self {
            site,
            run,
            decl,
            news,
            known,
            queue: Queue::new(limits),
            tasks: BTreeMap::new(),
            sent: BTreeMap::new(),
            rows: RowActions::new(samples),
            live: None,
            next_live: now,
            early: Vec::new(),
            listed: now,
            pause: LOOK,
            calls: Calls::new(now),
            unneeded: Vec::new(),
            doubtful: BTreeMap::new(),
            is_silent: false,
            next: (now, TRY_AGAIN),
            stopping: None,
            stopped: now,
            leased: BTreeMap::new(),
            waits_for: BTreeMap::new(),
            is_cancelled: false,
            looked: now,
            asked: now,
            reasons: BTreeMap::new(),
            count: 0,
        }
    }

    /// Works until the executor is gone.
    pub(super) fn work(mut self, orders: &Receiver<Order<'a>>) {
        loop {
            let is_idle = self.queue.len() == 0 && self.rows.is_empty() && self.early.is_empty();
            match orders.recv_timeout(if is_idle { LOOK_IDLE } else { self.pause }) {
                Ok(order) => {
                    self.obey(order);
                    // Further actions often follow at once, and belong into the same submission.
                    while let Ok(order) = orders.recv_timeout(COLLECT) {
                        self.obey(order);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.close(),
            }
            self.look();
        }
    }

    pub(super) fn look(&mut self) {
        for (id, shape, action) in std::mem::take(&mut self.early) {
            self.obey(Order::Take(id, shape, action));
        }
        self.look_at_rows();
        self.look_at_leases();
        let has_more = self.submit();
        let began = self.site.now();
        self.read_news();
        self.pause = (self.since(began) * PAUSE).clamp(LOOK, LIST_EVERY);
        if has_more {
            self.pause = COLLECT;
        }
        self.close_batches();
        if self.calls.left(self.site.now()) > 0 {
            self.end_unneeded();
        }
        self.obey_cancel();
        let is_hurried = self.stopping.is_some() && self.since(self.stopped) < AT_FIRST;
        let pause = if is_hurried { LIST_EVERY_AT_FIRST } else { LIST_EVERY };
        if self.queue.len() > 0 && self.since(self.listed) >= pause {
            self.list();
            self.listed = self.site.now();
            if self.stopping == Some(Stop::Clean) && self.since(self.asked) >= ASK_AGAIN {
                self.end_jobs(End::Clean);
            }
        }
    }

    /// Warns the user once when the cluster does not answer any more.
    pub(super) fn answered(&mut self, has_answered: bool) {
        if has_answered {
            self.is_silent = false;
        } else if !self.is_silent {
            let actions =
                self.early.iter().map(|(id, ..)| *id).chain(self.tasks.values().map(|task| task.id));
            let message =
                "Slurm does not answer and is asked again; `scontrol ping` shows its state".to_owned();
            if let Some(id) = actions.min() {
                self.is_silent = true;
                self.warn(id, message);
            }
        }
    }

    fn since(&self, moment: Moment) -> Duration {
        self.site.now().saturating_sub(moment)
    }

    pub(super) fn obey(&mut self, order: Order<'a>) {
        match order {
            Order::Take(id, shape, action) => match self.knows_live() {
                Ok(true) => self.take(id, shape, action),
                Ok(false) => self.early.push((id, shape, action)),
                Err(error) => self.finish(id, Err(error)),
            },
            Order::Stop(how) => self.stop(how),
        }
    }

    fn take(&mut self, id: ActionId, shape: Shape, action: Box<Action<'a>>) {
        match action.stage.decl.rows {
            Some(_) => self.take_rows(id, shape, action),
            None => self.take_whole(id, shape, &action),
        }
    }

    fn take_whole(&mut self, id: ActionId, shape: Shape, action: &Action) {
        let stage = action.stage.decl.name.clone();
        let task =
            NewTask { stage, shape, seconds: (self.known.seconds)(&action.stage.name), is_exact: false };
        let (spec, decl) = (Arc::new(TaskSpec::new(action)), action.stage.decl.clone());
        let taken = Taken { id, spec, decl, is_shard: false };
        // A forced action is computed again, also if a job of an earlier run computes it.
        let adopted = if action.force { None } else { self.adopt(&action.key.digest(), &task) };
        let task = match adopted {
            Some(task) => task,
            None => self.queue.add(task),
        };
        self.tasks.insert(task, taken);
    }

    pub(super) fn report(&self, id: ActionId, update: Update) {
        let _ = self.news.send(News::Update(id, update));
    }

    /// Warns the user about an action.
    pub(super) fn warn(&self, id: ActionId, message: String) {
        self.report(id, Update::Worker(WorkerEvent::Log { level: Level::Warning, message }));
    }

    /// Reports the end of an action.
    pub(super) fn finish(&mut self, id: ActionId, outcome: Result<Outcome>) {
        self.forget_action(id);
        self.report(id, Update::Ended(outcome));
    }

    /// Forgets what was reported about an action that has no jobs any more.
    pub(super) fn forget_action(&mut self, id: ActionId) {
        self.reasons.remove(&id);
        self.waits_for.remove(&id);
    }

    /// Ends an action.
    pub(super) fn end(&mut self, task: TaskId, seconds: Option<f64>, outcome: Result<Outcome>) {
        if let Some(taken) = self.forget(task, seconds) {
            self.finish(taken.id, outcome);
        }
    }

    /// Removes a task that is over.
    pub(super) fn forget(&mut self, task: TaskId, seconds: Option<f64>) -> Option<Taken> {
        self.queue.ended(task, seconds);
        self.leased.remove(&task);
        self.tasks.remove(&task)
    }

    /// Number of entries in memory, apart from adopted submissions, which stay until the end.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let sent = self.sent.values().filter(|sent| !sent.is_adopted).count();
        let of_actions = self.early.len() + self.reasons.len() + self.waits_for.len() + self.rows.open.len();
        let of_tasks = self.tasks.len() + self.queue.len() + self.leased.len();
        of_actions + of_tasks + sent + self.unneeded.len()
    }

    /// Removes submissions whose tasks are over.
    fn close_batches(&mut self) {
        let open: BTreeSet<BatchId> = self.queue.batches().collect();
        let site = &mut self.site;
        self.sent.retain(|batch, sent| {
            let is_open = sent.is_adopted || open.contains(batch);
            if !is_open && !sent.may_live {
                site.close(&sent.dir);
            }
            is_open
        });
    }

    /// Ends a task that has no result.
    pub(super) fn end_task(&mut self, task: TaskId, outcome: impl FnOnce() -> Result<Outcome>) {
        match self.tasks.get(&task).map(|taken| taken.is_shard) {
            Some(true) => self.end_shard(task, outcome().map(|_| false)),
            Some(false) => self.end(task, None, outcome()),
            None => {}
        }
    }

    /// Leaves nothing behind when the run is over.
    pub(super) fn close(&mut self) {
        self.close_batches();
        self.end_unneeded();
    }

    /// Ends the jobs of shards whose action has failed.
    fn end_unneeded(&mut self) {
        if !self.unneeded.is_empty() {
            self.calls.made(self.site.now(), End::Clean.calls());
            // Jobs that cannot be ended now end by themselves.
            let _ = self.site.end(&std::mem::take(&mut self.unneeded), End::Clean);
        }
    }

    fn end_jobs(&mut self, how: End) {
        self.asked = self.site.now();
        let own = self.sent.values().filter(|sent| !sent.is_adopted).filter_map(|sent| sent.array.clone());
        // Another run may need the other jobs of a submission of which this run has adopted some.
        let adopted = self.queue.open_jobs().filter_map(|(batch, index, _)| {
            let sent = self.sent.get(&batch).filter(|sent| sent.is_adopted)?;
            Some(format!("{}_{index}", sent.array.as_ref()?))
        });
        let jobs: Vec<String> = own.chain(adopted).collect();
        // A cluster that does not answer is asked again.
        let _ = self.site.end(&jobs, how);
    }

    fn stop(&mut self, how: Stop) {
        self.stopping = Some(how);
        self.stopped = self.site.now();
        self.listed = self.site.now();
        for (id, ..) in std::mem::take(&mut self.early) {
            self.finish(id, Ok(Outcome::Stopped));
        }
        let placed: BTreeSet<TaskId> =
            self.queue.open_jobs().flat_map(|(.., tasks)| tasks.to_vec()).collect();
        let waiting: Vec<TaskId> = self.tasks.keys().filter(|task| !placed.contains(task)).copied().collect();
        waiting.into_iter().for_each(|task| self.end_task(task, || Ok(Outcome::Stopped)));
        self.end_jobs(if how == Stop::Clean { End::Clean } else { End::Now });
        if how == Stop::Now {
            self.sent.values_mut().for_each(|sent| sent.may_live = true);
            // Jobs that are killed write no news.
            for task in self.tasks.keys().copied().collect::<Vec<_>>() {
                self.end_task(task, || Ok(Outcome::Stopped));
            }
        }
    }
}
