//! A job on a node of a cluster: performs the tasks that an engine wrote for it, with the code that performs actions
//! on one machine.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use rustix::process::{Signal, geteuid};
use serde::de::DeserializeOwned;

use super::context::{JobContext, Run};
use super::executor::{Outcome, Update};
use super::task::{
    FORMAT, JobDir, JobSpec, NewsWriter, Task, TaskEnd, TaskError, TaskNews, TaskUpdate, VERSION,
};
use crate::declare::engine;
use crate::store::{OF_JOB, Store};

/// Time between two looks at signals.
const PAUSE: Duration = Duration::from_millis(50);

/// Resources of a job, as the cluster grants them.
#[derive(Clone, Debug)]
pub struct NodeResources {
    /// Position of the job in its array.
    pub index: usize,
    /// Id of the job; together with `restart` it is unique on the cluster.
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
    let id = format!("{}-j{}-{}", spec.run, node.job, node.restart);
    let run = Run {
        project: &spec.project,
        store: &store,
        plan: &plan,
        id: spec.run.clone(),
        replaces: None,
        keep_failed: spec.keep_failed,
        job: Some(JobContext { id, revision: spec.revision.clone() }),
        sandbox: OnceLock::new(),
    };
    let news = NewsWriter::new(&dir, node.index, &format!("{}-{}", node.restart, node.job));
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let (run, ended) = (&run, &ended);
        scope.spawn(move || obey(run, signals, ended));
        let done = tasks.into_iter().enumerate().try_for_each(|(number, task)| {
            let end =
                perform(run, (number, task), node, |update| news.tell(&TaskNews { task: number, update }));
            news.tell(&TaskNews { task: number, update: TaskUpdate::Ended(end) })
        });
        ended.store(true, Ordering::Relaxed);
        done
    })?;
    news.end()
}

/// Performs a task, and passes on what happens.
fn perform(
    run: &Run,
    (number, task): (usize, Task),
    node: &NodeResources,
    tell: impl Fn(TaskUpdate) -> Result<()>,
) -> TaskEnd {
    let Task { action, shard } = task;
    let outcome = action.stage().and_then(|stage| {
        let mut leased = None;
        let mut action = Arc::unwrap_or_clone(action).action(&stage, node.cpus, node.gpus.clone());
        action.log_suffix = shard.is_some().then(|| format!("{OF_JOB}{}-{number}", node.job));
        let mut say = |update| {
            let news = match update {
                Update::Waiting(holder) => {
                    leased = Some(holder);
                    return;
                }
                Update::Started { resumes } => TaskUpdate::Started(resumes),
                Update::Rows { missing, of } => TaskUpdate::Rows { missing, of },
                Update::Worker(event) => TaskUpdate::Worker(event),
                Update::Retry(error, pause) => {
                    TaskUpdate::Retry(TaskError::from(&error), pause.as_secs_f64())
                }
                Update::Released | Update::Ended(_) => return,
            };
            // Progress that cannot be written does not stop the work.
            let _ = tell(news);
        };
        let Some(shard) = shard else {
            let outcome = action.perform(run, &mut say)?;
            return Ok(match outcome {
                Outcome::Taken(head) => TaskEnd::Taken(head),
                Outcome::ActionOutput(head) => TaskEnd::Computed(head),
                Outcome::Stopped => match leased.filter(|_| !stopping(run)) {
                    Some(holder) => TaskEnd::Leased(holder),
                    None => TaskEnd::Stopped,
                },
            });
        };
        let is_whole = action.perform_shard(run, &shard, &mut say, |part| tell(TaskUpdate::Part(part)))?;
        Ok(if is_whole { TaskEnd::Shard } else { TaskEnd::Stopped })
    });
    outcome.unwrap_or_else(|error| TaskEnd::Failed(TaskError::from(&error)))
}

fn stopping(run: &Run) -> bool {
    run.begun().is_some_and(|sandbox| sandbox.supervisor.stopping())
}

/// Stops the workers when a signal arrives: the first one lets them write a checkpoint.
fn obey(run: &Run, signals: Receiver<JobSignal>, ended: &AtomicBool) {
    let mut how = Signal::TERM;
    while !ended.load(Ordering::Relaxed) {
        match signals.recv_timeout(PAUSE) {
            Ok(_) => {
                // Without a sandbox, no worker was started, and the first task asks before it starts one.
                if let Ok(sandbox) = run.sandbox() {
                    sandbox.supervisor.stop(how);
                    how = Signal::KILL;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Reads a file that only this user can have written.
fn read_own<T: DeserializeOwned>(path: &Path) -> Result<T> {
    check_owner(path)?;
    let text = fs::read(path).io_context("cannot read", path)?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::user_error(
            Code::Unreadable,
            format!("{} is not a file that this version of callsheet wrote: {error}", path.display()),
            "run the pipeline again; nodes and the engine need the same version of callsheet",
        )
    })
}

/// Rejects a file or folder that another user owns or can change: a job runs the commands in it.
fn check_owner(path: &Path) -> Result<()> {
    let found = fs::symlink_metadata(path).io_context("cannot read", path)?;
    let (owner, own) = (found.uid(), geteuid().as_raw());
    let refuse = |problem: String| {
        Err(Error::user_error(
            Code::InvalidValue,
            format!("{} {problem}, so a job does not run the commands in it", path.display()),
            "run the pipeline again as the user of the job; the engine writes files that only their owner can change",
        ))
    };
    if found.is_symlink() {
        return refuse("is a link".to_owned());
    }
    if owner != own {
        return refuse(format!("belongs to the user with id {owner}, not to the one of the job (id {own})"));
    }
    if found.mode() & 0o022 != 0 {
        return refuse(format!("can be changed by others (mode {:o})", found.mode() & 0o7777));
    }
    Ok(())
}

/// Rejects the files of another version of callsheet.
fn check_engine(spec: &JobSpec) -> Result<()> {
    let (wanted, path) = (&spec.engine, engine()?);
    if spec.format == FORMAT && wanted.is_this() {
        return Ok(());
    }
    let difference = match wanted.version == VERSION {
        true => format!("is another build of callsheet {VERSION}"),
        false => format!("is callsheet {VERSION}, but the run was started by callsheet {}", wanted.version),
    };
    Err(Error::user_error(
        Code::Unsupported,
        format!("{} on this node {difference}", path.display()),
        "set `program` of the executor to the callsheet that starts the run, in a folder that the nodes see",
    ))
}
