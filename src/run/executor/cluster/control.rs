//! Jobs of all runs of a project, for commands that list and end them, and engines that are jobs themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use serde::Serialize;

use super::batch::script;
use super::live::submissions;
use super::queue::{JobState, Shape};
use super::reasons::in_words;
use super::slurm::{self, ASK_AGAIN, Array, End, Refusal};
use super::{check_store, shape};
use crate::declare::{ExecutorDecl, Project, ResourcesDecl};
use crate::run::task::{JobDir, Task};
use crate::store::{LockName, Store};

/// Beginning of the names of jobs that are engines.
const ENGINE: &str = "cs-engine-";

/// Variable of an engine that is a job: the cluster may kill it and start it again, and its jobs go on meanwhile.
pub const DETACHED_VARIABLE: &str = "CALLSHEET_DETACHED";

/// Longest wait for the end of cancelled jobs.
const LONGEST_END: Duration = Duration::from_secs(60);

/// Time between two looks at cancelled jobs.
const LOOK: Duration = Duration::from_secs(1);

/// File in the folder of a run that names the job which is its engine.
const ENGINE_FILE: &str = "engine";

/// A job on a cluster that works for this project.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterJob {
    /// Id, e.g. `12_3`.
    pub id: String,
    /// Run that submitted it.
    pub run: String,
    /// Stage instances that it performs.
    pub stages: Vec<String>,
    /// `pending`, `running` or `ended`.
    pub state: String,
    /// Reason in words for which it waits; empty if it runs.
    pub reason: String,
}

/// Lists the jobs of all runs of a project that have not ended.
///
/// # Errors
/// Returns an error if Slurm's programs are not on PATH, or if they do not answer.
pub fn cluster_jobs(store: &Store) -> Result<Vec<ClusterJob>> {
    let mut dirs: BTreeMap<String, (String, JobDir)> = BTreeMap::new();
    for run in store.run_ids() {
        let of_run = submissions(store.run_dir(&run).path().join(JobDir::ALL));
        dirs.extend(of_run.into_iter().map(|(name, dir)| (name, (run.clone(), dir))));
    }
    if dirs.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = dirs.keys().cloned().collect();
    let listed = slurm::list(&names, None)?.ok_or_else(silent)?;
    let live = listed.iter().filter(|job| job.state.is_live());
    let jobs = live.filter_map(|job| {
        let ((run, dir), index) = (dirs.get(&job.name)?, job.index?);
        let is_pending = job.state == JobState::Pending;
        Some(ClusterJob {
            id: format!("{}_{index}", job.array),
            run: run.clone(),
            stages: stages(dir, index),
            state: if is_pending { "pending" } else { "running" }.to_owned(),
            reason: if is_pending { in_words(&job.reason) } else { String::new() },
        })
    });
    Ok(jobs.collect())
}

/// Names of the stage instances that a job performs.
fn stages(dir: &JobDir, index: usize) -> Vec<String> {
    let text = fs::read(dir.tasks(index)).unwrap_or_default();
    let tasks: Vec<Task> = serde_json::from_slice(&text).unwrap_or_default();
    let names: BTreeSet<String> = tasks.iter().map(|task| task.action.stage_name().to_owned()).collect();
    names.into_iter().collect()
}

fn silent() -> Error {
    Error::user_error(Code::Busy, "Slurm does not answer", "try again later; `scontrol ping` shows its state")
}

/// Number of jobs and engines that were asked to end.
#[derive(Clone, Copy, Debug)]
pub struct Cancelled {
    /// Jobs that there were.
    pub jobs: usize,
    /// Jobs that have not ended.
    pub left: usize,
    /// Engines that submit jobs.
    pub engines: usize,
}

/// Ends the jobs of a run, or of all runs of a project: those that wait at once; those that run may write a checkpoint
/// unless they are ended `now`. Asks the engines of these runs to submit no further jobs. Waits until the jobs have ended, but
/// not for long; calls `waits` with their number before every look at them.
///
/// # Errors
/// Returns an error if Slurm's programs are not on PATH, or if they do not answer.
pub fn cancel_jobs(
    store: &Store,
    run: Option<&str>,
    now: bool,
    mut waits: impl FnMut(usize),
) -> Result<Cancelled> {
    let of_run = || -> Result<Vec<ClusterJob>> {
        Ok(cluster_jobs(store)?.into_iter().filter(|job| run.is_none_or(|run| job.run == run)).collect())
    };
    let (mut jobs, clock) = (of_run()?, Instant::now());
    let is_live =
        |id: &String| store.locked(&LockName::Run(id)) && store.run_dir(id).path().join(JobDir::ALL).is_dir();
    let chosen = store.run_ids().into_iter().filter(|id| run.is_none_or(|run| run == id));
    let live: BTreeSet<String> = chosen.filter(is_live).collect();
    for run in live.iter().map(String::as_str).chain(jobs.iter().map(|job| job.run.as_str())) {
        // The engine must not submit again what is cancelled.
        let _ = fs::write(store.run_dir(run).path().join(JobDir::CANCEL), "");
    }
    let count = jobs.len();
    while !jobs.is_empty() && clock.elapsed() < LONGEST_END {
        waits(jobs.len());
        let arrays: BTreeSet<&str> = jobs.iter().filter_map(|job| Some(job.id.split_once('_')?.0)).collect();
        let arrays: Vec<String> = arrays.into_iter().map(str::to_owned).collect();
        slurm::end(&arrays, if now { End::Now } else { End::Clean }, None)?;
        let asked = Instant::now();
        while !jobs.is_empty() && asked.elapsed() < ASK_AGAIN {
            thread::sleep(LOOK);
            jobs = of_run()?;
        }
    }
    Ok(Cancelled { jobs: count, left: jobs.len(), engines: live.len() })
}

/// Job that is the engine of a run, if it has one that has not ended.
pub fn engine_job(store: &Store, run: &str) -> Option<String> {
    let name = fs::read_to_string(store.run_dir(run).path().join(ENGINE_FILE)).ok()?;
    let listed = slurm::list(&[name], None).ok()??;
    let live = listed.iter().find(|job| job.state.is_live());
    live.map(|job| job.array.clone())
}

/// Notes that this process is the engine of a run, if it is a job.
pub(in crate::run) fn note_engine(store: &Store, run: &str) {
    if let Ok(name) = env::var(DETACHED_VARIABLE) {
        let folder = store.run_dir(run).path().to_owned();
        let _ = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(ENGINE_FILE), name));
    }
}

/// Submits an engine as a job with one CPU, which the cluster starts again if its node fails. `words` are those of its
/// command line. Returns the id of the job.
///
/// # Errors
/// Returns an error if the cluster does not accept the job.
pub fn submit_engine(project: &Project, decl: &ExecutorDecl, words: &[String]) -> Result<String> {
    let name = format!("{ENGINE}{:08x}", distinct(project));
    let wanted = ResourcesDecl::default();
    let shape: Shape = shape(decl, "the engine", &wanted)?;
    check_store(decl, project)?;
    let folder = project.data.join("store").join("engines").join(&name);
    fs::create_dir_all(&folder).io_context("cannot create", &folder)?;
    let setup = [&decl.setup[..], &[format!("export {DETACHED_VARIABLE}={name}")]].concat();
    let script = script(project, &ExecutorDecl { setup, ..decl.clone() }, &folder, words)?;
    let array = Array { name: &name, jobs: 1, shape: &shape, folder: &folder, script };
    slurm::start(decl, &array, None).map_err(|refusal| match refusal {
        Refusal::Never(error) => error,
        Refusal::Later(reason) | Refusal::TooMany(reason) => Error::user_error(
            Code::Busy,
            format!("Slurm does not accept the job of the engine now: {reason}"),
            "try again later, or use --detach=here",
        ),
    })
}

/// Number that distinguishes the engines of a project.
fn distinct(project: &Project) -> u32 {
    RandomState::new().hash_one(&project.root) as u32
}
