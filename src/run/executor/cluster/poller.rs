//! Thread of a cluster: submits tasks, reads the news of their jobs, and looks for jobs that ended without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::Scope;
use std::time::{Duration, Instant};

use callsheet_worker::error::{Error, Result};

use super::errors::copy_of;
use super::live::Live;
use super::queue::{BatchId, Limits, NewTask, Queue, Shape, TaskId};
use super::row_state::RowActions;
use super::slurm::{self, ASK_AGAIN, End};
use crate::declare::ExecutorDecl;
use crate::run::action::Action;
use crate::run::context::Run;
use crate::run::executor::{ActionId, News, Outcome, Stop, Update};
use crate::run::rows::Rate;
use crate::run::task::{Engine, JobDir, TaskSpec};

/// Time between two looks at the news of jobs, and between two looks for actions without jobs.
const LOOK: Duration = Duration::from_millis(250);
const LOOK_IDLE: Duration = Duration::from_secs(10);

/// Time between two listings of jobs, and while the run is being stopped.
const LIST_EVERY: Duration = Duration::from_secs(10);
const LIST_EVERY_WHEN_STOPPING: Duration = Duration::from_secs(1);

/// Time between a refused submission and the next try; each further time is twice as long.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Time for which the poller collects tasks before it submits them.
const COLLECT: Duration = Duration::from_millis(50);

/// Time between the end of a job and the moment at which it counts as lost, for its news to become visible.
const GRACE: Duration = Duration::from_secs(15);

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
    /// Number of the last file of news that was read, of each attempt at each job.
    pub read: BTreeMap<(usize, String), u64>,
    /// Time of the submission.
    pub since: Instant,
    /// True if an earlier run submitted it.
    pub is_adopted: bool,
}

/// State of the thread.
pub(super) struct Poller<'s, 'a> {
    pub run: &'a Run<'a>,
    pub scope: &'s Scope<'s, 'a>,
    pub decl: &'a ExecutorDecl,
    pub news: Sender<News>,
    pub known: Known<'a>,
    pub queue: Queue,
    pub tasks: BTreeMap<TaskId, Taken>,
    pub sent: BTreeMap<BatchId, Sent>,
    pub rows: RowActions<'a>,
    pub live: Option<Live>,
    pub clock: Instant,
    listed: Instant,
    /// Earliest time of the next submission, and the pause before it.
    pub next: (Instant, Duration),
    pub stopping: Option<Stop>,
    /// Tasks that other runs perform, and the time of the next look at them.
    pub leased: BTreeMap<TaskId, Instant>,
    /// Last reported run that holds the work of each action.
    pub waits_for: BTreeMap<ActionId, String>,
    /// True if the user has cancelled the run from elsewhere, and the time of the last look.
    pub is_cancelled: bool,
    pub looked: Instant,
    /// Time at which jobs were last asked to end.
    asked: Instant,
    /// Last reported reason why the jobs of each action wait.
    pub reasons: BTreeMap<ActionId, Option<String>>,
    /// This program, as submissions describe it; its file is hashed before the first one.
    pub engine: Option<Engine>,
    /// Number of submissions so far.
    pub count: u32,
}

impl<'s, 'a: 's> Poller<'s, 'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        scope: &'s Scope<'s, 'a>,
        decl: &'a ExecutorDecl,
        news: Sender<News>,
        known: Known<'a>,
    ) -> Self {
        let samples = SAMPLES.min(decl.max_jobs as usize);
        let limits =
            Limits { job_seconds: decl.job_time.as_secs_f64(), samples, array: LONGEST_ARRAY, grace: GRACE };
        let now = Instant::now();
        Self {
            run,
            scope,
            decl,
            news,
            known,
            queue: Queue::new(limits),
            tasks: BTreeMap::new(),
            sent: BTreeMap::new(),
            rows: RowActions::new(samples),
            live: None,
            clock: now,
            listed: now,
            next: (now, TRY_AGAIN),
            stopping: None,
            leased: BTreeMap::new(),
            waits_for: BTreeMap::new(),
            is_cancelled: false,
            looked: now,
            asked: now,
            reasons: BTreeMap::new(),
            engine: None,
            count: 0,
        }
    }

    /// Works until the executor is gone.
    pub(super) fn work(mut self, orders: &Receiver<Order<'a>>) {
        loop {
            let is_idle = self.queue.len() == 0 && self.rows.is_empty();
            match orders.recv_timeout(if is_idle { LOOK_IDLE } else { LOOK }) {
                Ok(order) => {
                    self.obey(order);
                    // Further actions often follow at once, and belong into the same submission.
                    while let Ok(order) = orders.recv_timeout(COLLECT) {
                        self.obey(order);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if let Err(error) = self.look() {
                self.give_up(&error);
            }
        }
    }

    fn look(&mut self) -> Result<()> {
        self.look_at_rows();
        self.look_at_leases()?;
        self.submit()?;
        self.read_news();
        self.obey_cancel();
        let pause = if self.stopping.is_some() { LIST_EVERY_WHEN_STOPPING } else { LIST_EVERY };
        if self.queue.len() > 0 && self.listed.elapsed() >= pause {
            self.list()?;
            self.listed = Instant::now();
            if self.stopping == Some(Stop::Clean) && self.asked.elapsed() >= ASK_AGAIN {
                self.end_jobs(End::Clean)?;
            }
        }
        Ok(())
    }

    fn obey(&mut self, order: Order<'a>) {
        match order {
            Order::Take(id, shape, action) if action.stage.decl.rows.is_some() => {
                self.take_rows(id, shape, action)
            }
            Order::Take(id, shape, action) => self.take(id, shape, &action),
            Order::Stop(how) => self.stop(how),
        }
    }

    fn take(&mut self, id: ActionId, shape: Shape, action: &Action) {
        let stage = action.stage.decl.name.clone();
        let task =
            NewTask { stage, shape, seconds: (self.known.seconds)(&action.stage.name), is_exact: false };
        let taken = Taken { id, spec: Arc::new(TaskSpec::new(action)), is_shard: false };
        // A forced action is computed again, also if a job of an earlier run computes it.
        let adopted = if action.force { None } else { self.adopt(&action.key.digest(), &task) };
        let task = match adopted {
            Some(task) => task,
            None => self.queue.add(task),
        };
        self.tasks.insert(task, taken);
    }

    pub(super) fn tell(&self, id: ActionId, update: Update) {
        let _ = self.news.send(News::Update(id, update));
    }

    /// Ends an action.
    pub(super) fn end(&mut self, task: TaskId, seconds: Option<f64>, outcome: Result<Outcome>) {
        if let Some(taken) = self.forget(task, seconds) {
            self.tell(taken.id, Update::Ended(outcome));
        }
    }

    /// Removes a task that is over.
    pub(super) fn forget(&mut self, task: TaskId, seconds: Option<f64>) -> Option<Taken> {
        self.queue.ended(task, seconds);
        let open: BTreeSet<BatchId> = self.queue.batches().collect();
        self.sent.retain(|batch, sent| {
            let is_open = sent.is_adopted || open.contains(batch);
            if !is_open {
                // Later runs need not look for live jobs there.
                let _ = fs::write(sent.dir.closed(), "");
            }
            is_open
        });
        self.tasks.remove(&task)
    }

    /// Ends all tasks with an error that concerns the cluster.
    fn give_up(&mut self, error: &Error) {
        for task in self.tasks.keys().copied().collect::<Vec<_>>() {
            self.end_task(task, || Err(copy_of(error)));
        }
    }

    /// Ends a task that has no result.
    pub(super) fn end_task(&mut self, task: TaskId, outcome: impl FnOnce() -> Result<Outcome>) {
        match self.tasks.get(&task).map(|taken| taken.is_shard) {
            Some(true) => self.end_shard(task, outcome().map(|_| false)),
            Some(false) => self.end(task, None, outcome()),
            None => {}
        }
    }

    fn end_jobs(&mut self, how: End) -> Result<()> {
        self.asked = Instant::now();
        let arrays: Vec<String> = self.sent.values().filter_map(|sent| sent.array.clone()).collect();
        slurm::end(&arrays, how)
    }

    fn stop(&mut self, how: Stop) {
        self.stopping = Some(how);
        self.listed = Instant::now();
        let placed: BTreeSet<TaskId> =
            self.queue.open_jobs().flat_map(|(.., tasks)| tasks.to_vec()).collect();
        let waiting: Vec<TaskId> = self.tasks.keys().filter(|task| !placed.contains(task)).copied().collect();
        waiting.into_iter().for_each(|task| self.end_task(task, || Ok(Outcome::Stopped)));
        if let Err(error) = self.end_jobs(if how == Stop::Clean { End::Clean } else { End::Now }) {
            self.give_up(&error);
        }
        if how == Stop::Now {
            // Jobs that are killed have no last words.
            for task in self.tasks.keys().copied().collect::<Vec<_>>() {
                self.end_task(task, || Ok(Outcome::Stopped));
            }
        }
    }
}
