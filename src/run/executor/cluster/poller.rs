//! Thread of a cluster: submits tasks, reads the news of their jobs, and looks for jobs that ended without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::protocol::{Level, WorkerEvent};

use super::batch;
use super::queue::{BatchId, JobEnd, JobState, Limits, LostTask, NewTask, Queue, Shape, Submission, TaskId};
use super::slurm::{self, Array, End, Refusal, states};
use crate::declare::ExecutorDecl;
use crate::run::action::Action;
use crate::run::context::Run;
use crate::run::executor::{ActionId, News, Outcome, Stop, Update};
use crate::run::log::last_lines;
use crate::run::task::{JobDir, NewsFile, TaskEnd, TaskSpec, TaskUpdate, list_news};

/// Time between two looks at the news of jobs.
const LOOK: Duration = Duration::from_millis(250);

/// Time between two listings of jobs, and while the run is being stopped.
const LIST_EVERY: Duration = Duration::from_secs(10);
const LIST_EVERY_WHEN_STOPPING: Duration = Duration::from_secs(1);

/// Time between a refused submission and the next try; each further time is twice as long.
const TRY_AGAIN: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Time for which the poller collects tasks before it submits them.
const COLLECT: Duration = Duration::from_millis(100);

/// Time between the end of a job and the moment at which it counts as lost, for its news to become visible.
const GRACE: Duration = Duration::from_secs(15);

/// Jobs with tasks of unknown duration, which are a sample of their stage.
const SAMPLES: usize = 8;

/// Largest number of jobs in one array: the default limit of Slurm is 1,001.
const LONGEST_ARRAY: usize = 1000;

/// Number of lines of a job's output that an error quotes.
const QUOTED_LINES: usize = 12;

/// Function that returns the seconds that a stage instance took before.
pub(super) type Expected<'a> = Box<dyn Fn(&str) -> Option<f64> + Send + 'a>;

/// Message to the poller.
pub(super) enum Order {
    Take(Box<Taken>),
    Stop(Stop),
}

/// An action that was taken.
pub(super) struct Taken {
    id: ActionId,
    stage: String,
    shape: Shape,
    spec: TaskSpec,
}

impl Order {
    pub(super) fn take(id: ActionId, shape: Shape, action: Action) -> Self {
        let stage = action.stage.decl.name.clone();
        Self::Take(Box::new(Taken { id, stage, shape, spec: TaskSpec::new(action) }))
    }
}

/// A submission, as the cluster knows it.
struct Sent {
    name: String,
    dir: JobDir,
    /// Id of the array; `None` if the answer of the cluster was lost.
    array: Option<String>,
    jobs: Vec<Vec<TaskId>>,
    /// Files of news that were read.
    read: BTreeSet<NewsFile>,
    /// Time of the submission.
    since: Instant,
}

/// State of the thread.
pub(super) struct Poller<'a> {
    run: &'a Run<'a>,
    decl: &'a ExecutorDecl,
    news: Sender<News>,
    expected: Expected<'a>,
    queue: Queue,
    tasks: BTreeMap<TaskId, Taken>,
    sent: BTreeMap<BatchId, Sent>,
    clock: Instant,
    listed: Instant,
    /// Earliest time of the next submission, and the pause before it.
    next: (Instant, Duration),
    stopping: Option<Stop>,
    names: u32,
}

impl<'a> Poller<'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        decl: &'a ExecutorDecl,
        news: Sender<News>,
        expected: Expected<'a>,
    ) -> Self {
        let limits = Limits {
            job_seconds: decl.job_time.as_secs_f64(),
            samples: SAMPLES.max(decl.max_jobs as usize),
            array: LONGEST_ARRAY,
            grace: GRACE,
        };
        let now = Instant::now();
        Self {
            run,
            decl,
            news,
            expected,
            queue: Queue::new(limits),
            tasks: BTreeMap::new(),
            sent: BTreeMap::new(),
            clock: now,
            listed: now,
            next: (now, TRY_AGAIN),
            stopping: None,
            names: 0,
        }
    }

    /// Works until the executor is gone.
    pub(super) fn work(mut self, orders: &Receiver<Order>) {
        loop {
            let pause = if self.queue.len() == 0 { LIST_EVERY } else { LOOK };
            match orders.recv_timeout(pause) {
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
        self.submit()?;
        self.read_news();
        let pause = if self.stopping.is_some() { LIST_EVERY_WHEN_STOPPING } else { LIST_EVERY };
        if self.queue.len() > 0 && self.listed.elapsed() >= pause {
            self.list()?;
            self.listed = Instant::now();
        }
        Ok(())
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Take(taken) => {
                let seconds = (self.expected)(&taken.spec_name());
                let task = NewTask { stage: taken.stage.clone(), shape: taken.shape.clone(), seconds };
                self.tasks.insert(self.queue.add(task), *taken);
            }
            Order::Stop(how) => self.stop(how),
        }
    }

    fn tell(&self, id: ActionId, update: Update) {
        let _ = self.news.send(News::Update(id, update));
    }

    /// Ends a task.
    fn end(&mut self, task: TaskId, seconds: Option<f64>, outcome: Result<Outcome>) {
        self.queue.ended(task, seconds);
        if let Some(taken) = self.tasks.remove(&task) {
            self.tell(taken.id, Update::Ended(outcome));
        }
        let open: BTreeSet<BatchId> = self.queue.batches().collect();
        self.sent.retain(|batch, _| open.contains(batch));
    }

    /// Ends all tasks with an error that concerns the cluster.
    fn give_up(&mut self, error: &Error) {
        for task in self.tasks.keys().copied().collect::<Vec<_>>() {
            let copy = Error::user_error(error.kind(), error.to_string(), help_of(error));
            self.end(task, None, Err(copy));
        }
    }

    fn submit(&mut self) -> Result<()> {
        if self.stopping.is_some() || Instant::now() < self.next.0 {
            return Ok(());
        }
        for submission in self.queue.submissions() {
            self.send(submission)?;
        }
        Ok(())
    }

    /// Submits an array. Its files are written first.
    fn send(&mut self, submission: Submission) -> Result<()> {
        let name = format!("cs-{:08x}{}", fingerprint(&self.run.id), self.names);
        self.names += 1;
        let specs: Vec<Vec<&TaskSpec>> = submission
            .jobs
            .iter()
            .map(|tasks| tasks.iter().filter_map(|task| Some(&self.tasks.get(task)?.spec)).collect())
            .collect();
        let dir = batch::write(self.run, &name, &specs)?;
        let script = batch::script(self.run, self.decl, &dir)?;
        let log = dir.0.join("job-%a.log").to_string_lossy().into_owned();
        let jobs = submission.jobs.len();
        let array = Array { name: &name, jobs, shape: &submission.shape, log, script };
        let array = match slurm::start(self.decl, &array) {
            Ok(id) => {
                self.next.1 = TRY_AGAIN;
                Some(id)
            }
            Err(Refusal::Never(error)) => {
                for task in submission.jobs.into_iter().flatten() {
                    let copy = Error::user_error(error.kind(), error.to_string(), help_of(&error));
                    self.end(task, None, Err(copy));
                }
                return Ok(());
            }
            Err(Refusal::Later(reason)) => {
                self.warn(
                    &submission,
                    &format!("Slurm does not accept jobs now and is asked again: {reason}"),
                );
                self.next = (Instant::now() + self.next.1, (self.next.1 * 2).min(LONGEST_PAUSE));
                if slurm::list(std::slice::from_ref(&name))?.is_none_or(|listed| listed.is_empty()) {
                    self.queue.refused(submission.batch);
                    return Ok(());
                }
                // The answer was lost.
                None
            }
        };
        let (read, since) = (BTreeSet::new(), Instant::now());
        self.sent.insert(submission.batch, Sent { name, dir, array, jobs: submission.jobs, read, since });
        Ok(())
    }

    /// Tells the user of a submission's first task something.
    fn warn(&self, submission: &Submission, message: &str) {
        let first = submission.jobs.first().and_then(|tasks| self.tasks.get(tasks.first()?));
        if let Some(taken) = first {
            let message = message.to_owned();
            self.tell(taken.id, Update::Worker(WorkerEvent::Log { level: Level::Warning, message }));
        }
    }

    fn read_news(&mut self) {
        for batch in self.sent.keys().copied().collect::<Vec<_>>() {
            let Some(sent) = self.sent.get_mut(&batch) else { continue };
            let fresh: Vec<NewsFile> =
                list_news(&sent.dir).into_iter().filter(|file| !sent.read.contains(file)).collect();
            sent.read.extend(fresh.iter().cloned());
            let jobs = sent.jobs.clone();
            for file in fresh {
                let Some(tasks) = jobs.get(file.index) else { continue };
                for news in file.read() {
                    if let Some(task) = tasks.get(news.task) {
                        self.hear(*task, news.update);
                    }
                }
                if !file.is_end {
                    let _ = fs::remove_file(&file.path);
                }
            }
        }
    }

    fn hear(&mut self, task: TaskId, update: TaskUpdate) {
        let Some(taken) = self.tasks.get(&task) else { return };
        let id = taken.id;
        match update {
            TaskUpdate::Started(resumes) => self.tell(id, Update::Started { resumes }),
            TaskUpdate::Rows { missing, of } => self.tell(id, Update::Rows { missing, of }),
            TaskUpdate::Worker(event) => self.tell(id, Update::Worker(event)),
            TaskUpdate::Retry(error, seconds) => {
                self.tell(id, Update::Retry(error.into(), Duration::from_secs_f64(seconds)));
            }
            TaskUpdate::Ended(TaskEnd::Computed(head)) => {
                self.end(task, Some(head.seconds), Ok(Outcome::ActionOutput(head)));
            }
            TaskUpdate::Ended(TaskEnd::Taken(head)) => self.end(task, None, Ok(Outcome::Taken(head))),
            TaskUpdate::Ended(TaskEnd::Failed(error)) => self.end(task, None, Err(error.into())),
            TaskUpdate::Ended(TaskEnd::Leased(holder)) => {
                self.tell(id, Update::Waiting(holder));
                self.queue.again(task);
                self.next.0 = self.next.0.max(Instant::now() + TRY_AGAIN);
            }
            TaskUpdate::Ended(TaskEnd::Stopped) => self.end(task, None, Ok(Outcome::Stopped)),
        }
    }

    fn list(&mut self) -> Result<()> {
        let names: Vec<String> = self.sent.values().map(|sent| sent.name.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let Some(listed) = slurm::list(&names)? else { return Ok(()) };
        for sent in self.sent.values_mut().filter(|sent| sent.array.is_none()) {
            sent.array = listed.iter().find(|job| job.name == sent.name).map(|job| job.array.clone());
        }
        let (states, now) = (states(&listed), self.clock.elapsed());
        let sent = &self.sent;
        let state = |batch: BatchId, index: usize| {
            let sent = sent.get(&batch)?;
            let unknown = || (sent.since.elapsed() > LIST_EVERY).then_some(JobState::Ended(JobEnd::Unknown));
            states.get(&(sent.name.as_str(), index)).copied().or_else(unknown)
        };
        let stopping = self.stopping.is_some();
        let places: BTreeMap<TaskId, (JobDir, usize)> = self
            .queue
            .open_jobs()
            .filter_map(|(batch, index, tasks)| Some((batch, index, tasks.to_vec(), sent.get(&batch)?)))
            .flat_map(|(_, index, tasks, sent)| {
                tasks.into_iter().map(move |task| (task, (sent.dir.clone(), index)))
            })
            .collect();
        if stopping {
            // A job that never began has no news.
            let gone: Vec<TaskId> = self
                .queue
                .open_jobs()
                .filter(|(batch, index, _)| {
                    matches!(state(*batch, *index), Some(JobState::Ended(JobEnd::Cancelled)))
                })
                .flat_map(|(.., tasks)| tasks.to_vec())
                .collect();
            gone.into_iter().for_each(|task| self.end(task, None, Ok(Outcome::Stopped)));
            return Ok(());
        }
        for lost in self.queue.listed(now, state) {
            self.lose(lost, places.get(&lost.task));
        }
        Ok(())
    }

    /// Reports a task whose job ended without a word.
    fn lose(&mut self, lost: LostTask, place: Option<&(JobDir, usize)>) {
        let Some(taken) = self.tasks.get(&lost.task) else { return };
        let error = error_of(self.decl, lost.end, place);
        if lost.again {
            self.tell(taken.id, Update::Retry(error, Duration::ZERO));
        } else {
            self.end(lost.task, None, Err(error));
        }
    }

    fn stop(&mut self, how: Stop) {
        self.stopping = Some(how);
        self.listed = Instant::now();
        let waiting: Vec<TaskId> = {
            let placed: BTreeSet<TaskId> =
                self.queue.open_jobs().flat_map(|(.., tasks)| tasks.to_vec()).collect();
            self.tasks.keys().filter(|task| !placed.contains(task)).copied().collect()
        };
        waiting.into_iter().for_each(|task| self.end(task, None, Ok(Outcome::Stopped)));
        let arrays: Vec<String> = self.sent.values().filter_map(|sent| sent.array.clone()).collect();
        let how = if how == Stop::Clean { End::Clean } else { End::Now };
        if let Err(error) = slurm::end(&arrays, how) {
            self.give_up(&error);
        }
        if how == End::Now {
            // Jobs that are killed have no last words.
            for task in self.tasks.keys().copied().collect::<Vec<_>>() {
                self.end(task, None, Ok(Outcome::Stopped));
            }
        }
    }
}

impl Taken {
    fn spec_name(&self) -> String {
        self.spec.stage_name().to_owned()
    }
}

/// Error of a task whose job ended without a word.
fn error_of(decl: &ExecutorDecl, end: JobEnd, place: Option<&(JobDir, usize)>) -> Error {
    let log = place.map(|(dir, index)| dir.log(*index));
    let quoted = log.as_ref().map(|log| last_lines(log, QUOTED_LINES)).unwrap_or_default();
    let see = log.map(|log| format!("see the output of the job: {}", log.display())).unwrap_or_default();
    let name = &decl.name;
    let (code, what, help) = match end {
        JobEnd::Exited if quoted.contains("not found") => (
            Code::MissingProgram,
            "the node could not start callsheet".to_owned(),
            format!("set `program` of executor `{name}` to a callsheet that the nodes see"),
        ),
        JobEnd::Exited => (Code::WorkerFailed, "the job ended without a result".to_owned(), see),
        JobEnd::NodeFailed => (Code::WorkerFailed, "the node of the job failed".to_owned(), see),
        JobEnd::Cancelled => (
            Code::WorkerFailed,
            "somebody cancelled the job".to_owned(),
            "run again to submit it again".to_owned(),
        ),
        JobEnd::TimedOut => (
            Code::Timeout,
            "the job exceeded its time limit".to_owned(),
            "raise `time` under `resources` of the stage".to_owned(),
        ),
        JobEnd::OutOfMemory => (
            Code::Resources,
            "the job exceeded its memory".to_owned(),
            "raise `memory` under `resources` of the stage".to_owned(),
        ),
        JobEnd::Unknown => (
            Code::WorkerFailed,
            "the cluster does not know the job any more, and it left no result".to_owned(),
            see,
        ),
    };
    let quoted =
        if quoted.is_empty() { String::new() } else { format!("; its output ended with:\n{quoted}") };
    Error::user_error(code, format!("{what}{quoted}"), help)
}

fn help_of(error: &Error) -> String {
    miette::Diagnostic::help(error).map(|help| help.to_string()).unwrap_or_default()
}

/// First digits of the hash of a run's id: names of jobs are short in listings.
fn fingerprint(run: &str) -> u32 {
    let hash = blake3::hash(run.as_bytes());
    u32::from_be_bytes([hash.as_bytes()[0], hash.as_bytes()[1], hash.as_bytes()[2], hash.as_bytes()[3]])
}
