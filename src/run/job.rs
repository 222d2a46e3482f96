//! A job on a node of a cluster: performs the tasks that an engine wrote for it, with the code that performs actions
//! on one machine.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use rustix::process::Signal;

use super::action::Action;
use super::context::{JobContext, LazySandbox, Run};
use super::executor::{Outcome, Update};
use super::rows::Shard;
use super::task::{
    JobDir, JobSpec, NewsWriter, Task, TaskEnd, TaskError, TaskNews, TaskUpdate, check_engine, check_owner,
    read_own,
};
use crate::store::{OF_JOB, Store};

/// Time between two looks at signals.
const PAUSE: Duration = Duration::from_millis(50);

/// Time in which a worker may write a checkpoint before a further signal kills it.
const CHECKPOINT: Duration = Duration::from_secs(60);

/// Longest time that a cluster takes to kill a job that it starts again.
const LONGEST_KILL: Duration = Duration::from_secs(60);

/// Resources of a job, as the cluster grants them.
#[derive(Clone, Debug)]
pub struct NodeResources {
    /// Position of the job in its array.
    pub index: usize,
    /// Id of the job.
    pub job: String,
    /// Number of times that the cluster has started the job again.
    pub restart: u32,
    /// Number of CPUs.
    pub cpus: usize,
    /// Ids of its GPUs.
    pub gpus: Vec<String>,
}

/// Message of the cluster to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobSignal {
    /// The user cancels the job.
    Stop,
    /// The job's time is nearly up.
    TimeIsUp,
}

/// Performs the tasks of a job, whose files are in the folder `dir`.
///
/// # Errors
/// Returns an error if the files belong to another user or can be changed by others, if another version wrote them, or
/// if they cannot be read. Failures of tasks are in the job's news.
pub fn perform_job(dir: &Path, node: &NodeResources, signals: Receiver<JobSignal>) -> Result<()> {
    let dir = JobDir(dir.to_owned());
    check_owner(&dir.0)?;
    let spec: JobSpec = read_own(&dir.spec())?;
    check_engine(&spec)?;
    let tasks: Vec<Task> = read_own(&dir.tasks(node.index))?;
    let store = Store::of(&spec.project)?;
    let plan = spec.plan();
    // A controller that has lost its state may start a job a second time under the same number.
    let unique = format!("{}-{:08x}", node.restart, RandomState::new().hash_one(process::id()) as u32);
    let id = format!("{}-j{}-{unique}", spec.run, node.job);
    let run = Run {
        project: &spec.project,
        store: &store,
        plan: &plan,
        id: spec.run.clone(),
        replaces: None,
        keep_failed: spec.keep_failed,
        job: Some(JobContext { id, revision: spec.revision.clone() }),
        sandbox: LazySandbox::default(),
    };
    let news = NewsWriter::new(&dir, node.index, &unique);
    let (ended, first) = (AtomicBool::new(false), Mutex::new(None));
    let unfinished = thread::scope(|scope| {
        let (run, ended, first) = (&run, &ended, &first);
        scope.spawn(move || obey(run, signals, first, ended));
        let unfinished = perform_all(run, tasks, node, &news, first, &dir);
        ended.store(true, Ordering::Relaxed);
        unfinished
    })?;
    if !unfinished.is_empty() && !requeue(node) {
        for task in unfinished {
            news.write(&TaskNews { task, update: TaskUpdate::Ended(TaskEnd::OutOfTime) })?;
        }
    }
    news.end()
}

/// Performs tasks one after another. If the job's time is up before all are over, returns those that another job can go on
/// with.
fn perform_all(
    run: &Run,
    tasks: Vec<Task>,
    node: &NodeResources,
    news: &NewsWriter,
    first: &Mutex<Option<JobSignal>>,
    dir: &JobDir,
) -> Result<Vec<usize>> {
    let (count, mut has_advanced) = (tasks.len(), false);
    let over = dir.over_tasks(node.index);
    let signal = || *first.lock().unwrap_or_else(PoisonError::into_inner);
    for (number, task) in tasks.into_iter().enumerate().filter(|(number, _)| !over.contains(number)) {
        if signal() == Some(JobSignal::Stop) {
            news.write(&TaskNews { task: number, update: TaskUpdate::Ended(TaskEnd::Stopped) })?;
            continue;
        }
        let end = perform(run, (number, task), node, |update| news.write(&TaskNews { task: number, update }));
        let is_time_up = signal() == Some(JobSignal::TimeIsUp);
        let end = match end {
            Performed::Over(end) => {
                has_advanced = true;
                end
            }
            Performed::Stopped { advanced } if is_time_up && (advanced || has_advanced) => {
                return Ok((number..count).filter(|number| !over.contains(number)).collect());
            }
            Performed::Stopped { .. } if is_time_up => TaskEnd::Failed(TaskError::from(&no_checkpoint())),
            Performed::Stopped { .. } => TaskEnd::Stopped,
        };
        let is_over = !matches!(end, TaskEnd::Stopped);
        news.write(&TaskNews { task: number, update: TaskUpdate::Ended(end) })?;
        if is_over {
            // Without the mark, the task is only performed again.
            let _ = fs::File::create(dir.over().join(format!("{}-{number}", node.index)));
        }
        if is_time_up {
            return Ok((number + 1..count).filter(|number| !over.contains(number)).collect());
        }
    }
    Ok(Vec::new())
}

/// Error of a stage that has nothing to resume from when its job's time is up.
fn no_checkpoint() -> Error {
    Error::user_error(
        Code::Timeout,
        "the job's time was up before the worker had written a checkpoint",
        "raise `time` under `resources` of the stage, or let the worker write checkpoints to `{scratch}`",
    )
}

/// Lets the cluster start the job again. Returns false if it does not. Otherwise the cluster kills this process, at once or
/// within a moment.
fn requeue(node: &NodeResources) -> bool {
    let requeued = Command::new("scontrol").args(["requeue", &node.job]).stdin(Stdio::null()).status();
    let is_requeued = requeued.is_ok_and(|status| status.success());
    if is_requeued {
        thread::sleep(LONGEST_KILL);
    }
    is_requeued
}

/// End of a task on this node.
enum Performed {
    Over(TaskEnd),
    /// The job was asked to end; `advanced` is true if another job can go on from here.
    Stopped {
        advanced: bool,
    },
}

/// Performs a task, and passes on what happens.
fn perform(
    run: &Run,
    (number, task): (usize, Task),
    node: &NodeResources,
    write: impl Fn(TaskUpdate) -> Result<()>,
) -> Performed {
    let Task { action, shard } = task;
    let outcome = action.stage().and_then(|stage| {
        let mut action = Arc::unwrap_or_clone(action).action(&stage, node.cpus, node.gpus.clone());
        action.log_suffix = shard.is_some().then(|| format!("{OF_JOB}{}-{number}", node.job));
        match shard {
            Some(shard) => perform_shard(run, &action, &shard, write),
            None => perform_whole(run, &action, write),
        }
    });
    outcome.unwrap_or_else(|error| Performed::Over(TaskEnd::Failed(TaskError::from(&error))))
}

fn perform_whole(run: &Run, action: &Action, write: impl Fn(TaskUpdate) -> Result<()>) -> Result<Performed> {
    let mut leased = None;
    let outcome = action.perform(run, |update| match update {
        Update::Waiting(holder) => leased = Some(holder),
        update => pass_on(update, &write),
    })?;
    Ok(match outcome {
        Outcome::Taken(head) => Performed::Over(TaskEnd::Taken(head)),
        Outcome::ActionOutput(head) => Performed::Over(TaskEnd::Computed(head)),
        Outcome::Checkpointed => Performed::Stopped { advanced: true },
        Outcome::Stopped => match leased.filter(|_| !stopping(run)) {
            Some(holder) => Performed::Over(TaskEnd::Leased(holder)),
            None => Performed::Stopped { advanced: false },
        },
    })
}

fn perform_shard(
    run: &Run,
    action: &Action,
    shard: &Shard,
    write: impl Fn(TaskUpdate) -> Result<()>,
) -> Result<Performed> {
    let mut advanced = false;
    let mut say = |update| pass_on(update, &write);
    let is_over = action.perform_shard(run, shard, &mut say, |part| {
        advanced |= part.computed > 0;
        write(TaskUpdate::Part(part))
    })?;
    Ok(if is_over { Performed::Over(TaskEnd::Shard) } else { Performed::Stopped { advanced } })
}

/// Writes an update as news.
fn pass_on(update: Update, write: impl Fn(TaskUpdate) -> Result<()>) {
    let news = match update {
        Update::Started { progress } => TaskUpdate::Started(progress),
        Update::Rows { missing, of } => TaskUpdate::Rows { missing, of },
        Update::Worker(event) => TaskUpdate::Worker(event),
        Update::Retry(error, pause) => TaskUpdate::Retry(TaskError::from(&error), pause.as_secs_f64()),
        Update::Waiting(_) | Update::Queued(_) | Update::Released | Update::Ended(_) => return,
    };
    // Progress that cannot be written does not stop the work.
    let _ = write(news);
}

fn stopping(run: &Run) -> bool {
    run.begun().is_some_and(|sandbox| sandbox.supervisor.stopping())
}

/// Stops the workers when a signal arrives: the first one lets them write a checkpoint.
fn obey(run: &Run, signals: Receiver<JobSignal>, first: &Mutex<Option<JobSignal>>, ended: &AtomicBool) {
    let mut began: Option<Instant> = None;
    while !ended.load(Ordering::Relaxed) {
        match signals.recv_timeout(PAUSE) {
            Ok(signal) => {
                first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(signal);
                // Without a sandbox, no worker was started, and the first task asks before it starts one.
                if let Ok(sandbox) = run.sandbox() {
                    // The cluster may lose a signal to a job that has just started, so that it is sent again.
                    let is_again = began.get_or_insert_with(Instant::now).elapsed() > CHECKPOINT;
                    sandbox.supervisor.stop(if is_again { Signal::KILL } else { Signal::TERM });
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
