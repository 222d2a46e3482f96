//! Messages about actions, from an executor to the scheduler.

use std::sync::Arc;
use std::time::Duration;

use callsheet_worker::error::{Error, Result};
use callsheet_worker::protocol::WorkerEvent;

use crate::store::LatestResult;

/// Id of an action in this run: the position of its stage in the plan.
pub(in crate::run) type ActionId = usize;

/// Method of stopping actions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::run) enum Stop {
    /// Workers may write a checkpoint.
    Clean,
    /// Workers are killed.
    Now,
}

/// Message to the scheduler.
pub(in crate::run) enum News {
    /// Something happened to an action.
    Update(ActionId, Update),
    /// The user wants the run to end.
    Interrupt,
}

/// Update of an action.
pub(in crate::run) enum Update {
    /// The action waits for the run with this id, which computes the result or holds its checkpoints or rows.
    Waiting(String),
    /// The action's jobs wait on a cluster, for this reason.
    Queued(String),
    /// The action starts, or a part of it.
    Started {
        /// Progress of earlier attempts: a number that grows with it, and 0 if this attempt starts from the beginning.
        progress: u64,
    },
    /// A row-wise stage has looked up its rows in the store.
    Rows {
        /// Rows that the store lacks.
        missing: u64,
        /// Rows of the table.
        of: u64,
    },
    /// Event of the worker.
    Worker(WorkerEvent),
    /// The worker failed and is started again after a pause.
    Retry(Error, Duration),
    /// The worker has ended; the result is being stored.
    Released,
    /// The action is over.
    Ended(Result<Outcome>),
}

/// Outcome of an action that did not fail.
pub(in crate::run) enum Outcome {
    /// Another run computed the result meanwhile.
    Taken(Arc<LatestResult>),
    /// The result was computed and published.
    ActionOutput(Arc<LatestResult>),
    /// The run was stopped.
    Stopped,
    /// The run was stopped after the worker had written checkpoints.
    Checkpointed,
}
