//! Jobs of runs that were killed, which go on by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;

use super::queue::BatchId;
use super::slurm::{self, Stops};
use crate::run::context::Run;
use crate::run::task::{JobDir, Task};
use crate::store::LockName;

/// Age of a submission from which a listing without its jobs proves that they have ended.
const OLD: Duration = Duration::from_secs(600);

/// Live jobs of earlier runs.
#[derive(Default)]
pub(super) struct Live {
    pub jobs: Vec<LiveJob>,
    /// Submissions of which a task was adopted.
    pub batches: BTreeMap<String, BatchId>,
}

pub(super) struct LiveJob {
    pub name: String,
    pub dir: JobDir,
    pub array: String,
    pub index: usize,
    /// Number of jobs of the array.
    pub of: usize,
    /// Tasks by position; those that were adopted are gone.
    pub tasks: BTreeMap<usize, LiveTask>,
}

pub(super) struct LiveTask {
    pub key: Digest,
    /// Digests of everything that the rows of a shard depend on, in its order; `None` for a whole action.
    pub rows: Option<Vec<Digest>>,
    /// Seconds after which the shard ends although rows are left.
    pub sample: Option<f64>,
}

/// Looks for the live jobs of runs that were killed; `None` if the cluster does not answer now, or the user stops the run.
///
/// # Errors
/// Returns an error if the cluster can never be asked.
pub(super) fn find_live(run: &Run, stops: &Stops) -> Result<Option<Vec<LiveJob>>> {
    let store = run.store;
    let ended = |id: &String| *id != run.id && !store.locked(&LockName::Run(id));
    let runs = store.run_ids().into_iter().filter(ended);
    let dirs: BTreeMap<String, JobDir> =
        runs.flat_map(|id| submissions(store.run_dir(&id).path().join(JobDir::ALL))).collect();
    if dirs.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let names: Vec<String> = dirs.keys().cloned().collect();
    let Some(listed) = slurm::list(&names, Some(stops))? else { return Ok(None) };
    let mut counts = BTreeMap::new();
    let alive = listed.iter().filter(|job| job.state.is_live());
    let jobs = alive.filter_map(|job| {
        let dir = dirs.get(&job.name)?;
        let index = job.index?;
        let tasks: Vec<Task> = serde_json::from_slice(&fs::read(dir.tasks(index)).ok()?).ok()?;
        let over = dir.over_tasks(index);
        let task = |task: Task| LiveTask {
            key: task.action.key.digest(),
            rows: task.shard.as_ref().map(|shard| shard.inputs().to_vec()),
            sample: task.shard.and_then(|shard| shard.sample),
        };
        Some(LiveJob {
            name: job.name.clone(),
            dir: dir.clone(),
            array: job.array.clone(),
            index,
            of: *counts.entry(job.name.clone()).or_insert_with(|| count_jobs(dir)),
            tasks: tasks.into_iter().map(task).enumerate().filter(|(at, _)| !over.contains(at)).collect(),
        })
    });
    let jobs: Vec<LiveJob> = jobs.collect();
    let live: BTreeSet<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    // A listing may be older than a submission.
    let is_old = |dir: &JobDir| {
        let written = fs::metadata(dir.spec()).and_then(|found| found.modified());
        written.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > OLD))
    };
    let over = dirs.iter().filter(|(name, dir)| !live.contains(name.as_str()) && is_old(dir));
    for (_, dir) in over {
        let _ = fs::write(dir.closed(), "");
    }
    Ok(Some(jobs))
}

fn count_jobs(dir: &JobDir) -> usize {
    (0..).take_while(|index| dir.tasks(*index).exists()).count()
}

/// Submissions of a run that may have live jobs, by their names.
pub(super) fn submissions(all: PathBuf) -> Vec<(String, JobDir)> {
    let entries = fs::read_dir(all).into_iter().flatten().flatten();
    let dirs =
        entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, JobDir(entry.path()))));
    dirs.filter(|(_, dir)| dir.spec().exists() && !dir.closed().exists()).collect()
}
