//! Simulated jobs: their state as the cluster knows it, their attempts on nodes, and the news that they write.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use callsheet_worker::digest::Digest;

use crate::declare::StageDecl;
use crate::run::executor::cluster::queue::{JobState, Moment};
use crate::run::executor::mock;
use crate::run::rows::{Parts, Shard};
use crate::run::task::TaskNews;
use crate::store::LatestResult;

/// Position of a job among all jobs of a simulation.
pub(super) type JobId = usize;

/// Position of an attempt among all attempts of a simulation.
pub(super) type AttemptId = usize;

/// A submission.
pub(super) struct SimulatedArray {
    pub id: String,
    pub jobs: Range<JobId>,
    /// Number of jobs that run.
    pub running: usize,
    /// News by the time from which they are visible, with the position of their job and their attempt.
    pub news: BTreeMap<(Moment, u64), (usize, AttemptId, TaskNews)>,
    pub is_closed: bool,
}

/// A job, as the cluster knows it.
pub(super) struct SimulatedJob {
    pub name: String,
    pub index: usize,
    pub state: JobState,
    /// Earliest time of its start.
    pub ready: Moment,
    /// Attempt that the cluster knows.
    pub attempt: Option<AttemptId>,
    pub ended: Moment,
    pub is_forgotten: bool,
    pub tasks: Vec<SimulatedTask>,
    /// Positions of tasks that are over.
    pub over: BTreeSet<usize>,
}

impl SimulatedArray {
    pub(super) fn new(id: String, jobs: Range<JobId>) -> Self {
        Self { id, jobs, running: 0, news: BTreeMap::new(), is_closed: false }
    }
}

impl SimulatedJob {
    pub(super) fn new(name: &str, index: usize, tasks: Vec<SimulatedTask>) -> Self {
        Self {
            name: name.to_owned(),
            index,
            state: JobState::Pending,
            ready: Moment::ZERO,
            attempt: None,
            ended: Moment::ZERO,
            is_forgotten: false,
            tasks,
            over: BTreeSet::new(),
        }
    }
}

/// A task of a job.
pub(super) struct SimulatedTask {
    pub stage: usize,
    pub key: Digest,
    pub shard: Option<Shard>,
}

/// An attempt at a job on a node.
pub(super) struct Attempt {
    pub job: JobId,
    pub node: usize,
    pub is_alive: bool,
    pub died: Moment,
    /// Time until which its news are visible.
    pub visible: Moment,
    /// Task that it performs.
    pub task: usize,
    /// Part of a shard that it computes.
    pub part: Option<Part>,
    /// True if it was asked to end.
    pub is_asked: bool,
}

/// Part of a shard.
pub(super) struct Part {
    pub parts: Parts,
    /// Positions of the rows in the shard that were missing when the attempt began.
    pub missing: Vec<usize>,
    /// Number of those that it has computed, and of those that it computes now.
    pub at: usize,
    pub next: usize,
    pub began: Moment,
    pub part_began: Moment,
}

/// Results of a simulation.
#[derive(Default)]
pub(super) struct Results {
    pub heads: BTreeMap<Digest, Arc<LatestResult>>,
    /// Attempt that performs each action.
    pub leases: BTreeMap<Digest, AttemptId>,
    /// Number of times that each row of a row-wise stage was computed.
    pub rows: BTreeMap<usize, Vec<u8>>,
    /// Number of whole actions that were computed although their result was recorded.
    pub again: usize,
    /// Stages of which a task failed by itself.
    pub failed: BTreeSet<usize>,
    /// Number of times that tasks of each stage must be submitted again.
    pub lost: BTreeMap<usize, u32>,
}

impl Results {
    /// Digest of everything that a row of a stage depends on.
    pub(super) fn input(stage: usize, row: usize) -> Digest {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(stage as u64).to_le_bytes());
        bytes[8..16].copy_from_slice(&(row as u64).to_le_bytes());
        Digest::from(bytes)
    }

    /// Row of a digest.
    pub(super) fn row(input: &Digest) -> usize {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&input.as_bytes()[8..16]);
        u64::from_le_bytes(bytes) as usize
    }
}

/// Result with the outputs that a stage declares; nothing is in a store.
pub(super) fn head(key: Digest, decl: &StageDecl, seconds: f64) -> Arc<LatestResult> {
    let mut head = mock::head(key, decl);
    head.seconds = seconds;
    Arc::new(head)
}
