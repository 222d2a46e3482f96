//! Interface between the scheduler and the machines that perform actions.

pub(super) mod cluster;
mod guard;
pub(super) mod local;
pub(super) mod mixed;
#[cfg(test)]
pub(super) mod mock;
mod ready;
pub(super) mod share;
mod update;

use std::time::Duration;

use callsheet_worker::error::Result;

use crate::declare::ResourcesDecl;

pub(super) use ready::{Ready, ReadyQueue};
pub(super) use update::{ActionId, News, Outcome, Stop, Update};

/// Performs actions, on this machine or elsewhere.
pub(super) trait Executor<'a> {
    /// Rejects a stage that this executor can never perform. Called before the stage is queued.
    ///
    /// # Errors
    /// Returns an error if the stage needs more resources than there are.
    fn class(&self, stage: &str, wanted: &ResourcesDecl) -> Result<()>;

    /// Takes ready actions, the most urgent first, as far as resources are free.
    ///
    /// # Errors
    /// Returns an error if no action can be performed at all, e.g. because the store cannot be written.
    fn offer(&mut self, ready: &mut ReadyQueue<'_, 'a>) -> Result<()>;

    /// Returns the next message; `None` after `timeout`, or if no further message can arrive. Without a
    /// timeout the wait is unlimited. An interrupt by the user also ends the wait.
    fn next(&mut self, timeout: Option<Duration>) -> Option<News>;

    /// Frees the resources of an action whose worker has ended, while its result is still being stored. Not
    /// called if a stage that waits for this result is more urgent than all stages that could start instead.
    fn release(&mut self, action: ActionId);

    /// Stops the actions that were taken.
    fn stop(&mut self, how: Stop);
}
