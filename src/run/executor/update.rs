//! News of actions, from an executor to the scheduler.

use std::sync::Arc;
use std::time::Duration;

use callsheet_worker::error::{Error, Result};
use callsheet_worker::protocol::WorkerEvent;

use crate::store::Head;

/// An action of this run: the position of its stage in the plan.
pub(in crate::run) type ActionId = usize;

/// Manner of ending actions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::run) enum Stop {
    /// Workers may write a checkpoint.
    Clean,
    /// At once.
    Now,
}

/// News for the scheduler.
pub(in crate::run) enum News {
    /// Something happened to an action.
    Update(ActionId, Update),
    /// The user wants the run to end.
    Interrupt,
}

/// Update of an action.
pub(in crate::run) enum Update {
    /// Waits for another run that computes this result: its id.
    Waiting(String),
    /// The worker is started; it may continue from a checkpoint.
    Started { resumes: bool },
    /// The worker computes some rows of a row-wise stage.
    Rows {
        /// Rows that the store lacks.
        missing: u64,
        /// Rows of the table.
        of: u64,
    },
    /// The worker reported something.
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
    /// Another run computed it meanwhile.
    Taken(Arc<Head>),
    /// It was computed and published.
    Made(Arc<Head>),
    /// The run was stopped.
    Stopped,
}
