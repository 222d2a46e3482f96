//! State of the row-wise actions on a cluster.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use callsheet_worker::error::{Error, Result};

use super::queue::{LONGEST_SAMPLES, Moment, NewTask, Shape, TaskId};
use crate::run::action::Action;
use crate::run::executor::ActionId;
use crate::run::rows::{Piece, Planned, Rate, Rates, RowPlan, Shard, ShardPart};
use crate::run::task::TaskSpec;

/// Row-wise actions that are not over.
pub(super) struct RowActions<'a> {
    /// Actions whose rows must be looked up, from a moment on.
    pub to_plan: VecDeque<(Moment, ActionId, Shape, Box<Action<'a>>)>,
    pub open: BTreeMap<ActionId, RowAction<'a>>,
    pub threads: usize,
    pub samples: usize,
    pub sender: Sender<Done<'a>>,
    pub receiver: Receiver<Done<'a>>,
}

/// A row-wise action whose rows were looked up.
pub(super) struct RowAction<'a> {
    pub action: Box<Action<'a>>,
    pub spec: Arc<TaskSpec>,
    pub shape: Shape,
    pub plan: Box<RowPlan>,
    pub began: Moment,
    pub is_started: bool,
    pub shards: BTreeMap<TaskId, Piece>,
    /// Missing rows that are in no shard.
    pub left: Vec<usize>,
    pub parts: Vec<ShardPart>,
    /// Number of rows in these parts.
    pub computed: u64,
    pub rates: Rates<TaskId>,
    /// Number of jobs that ended without news about any of their rows.
    pub empty: u32,
    pub failed: Option<Error>,
    pub is_stopped: bool,
}

/// End of a thread.
pub(super) enum Done<'a> {
    Planned(ActionId, Shape, Box<Action<'a>>, Result<Planned>),
    Assembled,
}

impl RowActions<'_> {
    pub(super) fn new(samples: usize) -> Self {
        let (sender, receiver) = channel();
        Self { to_plan: VecDeque::new(), open: BTreeMap::new(), threads: 0, samples, sender, receiver }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.to_plan.is_empty() && self.open.is_empty() && self.threads == 0
    }

    /// Shard of a task.
    pub(super) fn shard(&self, id: ActionId, task: TaskId) -> Option<Shard> {
        let action = self.open.get(&id)?;
        Some(action.plan.shard(action.shards.get(&task)?))
    }
}

impl RowAction<'_> {
    /// Returns true while samples decide how the rows that are left are cut. If samples take longer than they should, or wait
    /// for long, the others' rows are cut as soon as they fill a job.
    pub(super) fn waits_for_samples(&self, now: Moment, job_seconds: f64) -> bool {
        let is_late = now.saturating_sub(self.began).as_secs_f64() >= LONGEST_SAMPLES * job_seconds;
        let fills_job = |rate: Rate| self.left.len() >= rate.rows(job_seconds);
        let may_cut = is_late && self.rates.median().is_some_and(fills_job);
        self.shards.values().any(Piece::is_sample) && !may_cut
    }

    pub(super) fn task(&self, seconds: Option<f64>) -> NewTask {
        let stage = format!("{} (rows)", self.action.stage.decl.name);
        NewTask { stage, shape: self.shape.clone(), seconds, is_exact: true }
    }
}
