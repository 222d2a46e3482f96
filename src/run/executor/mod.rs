//! Seam between the scheduler and the machines that perform actions.

pub(super) mod local;
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
    /// Refuses a stage that can never be performed here. Asked before anything is queued.
    ///
    /// # Errors
    /// When it needs more than there is.
    fn class(&self, stage: &str, wanted: &ResourcesDecl) -> Result<()>;

    /// Takes as many ready actions as there is room for, the most urgent first.
    ///
    /// # Errors
    /// When no action can be performed at all, for example because the store cannot be written.
    fn offer(&mut self, ready: &mut ReadyQueue<'_, 'a>) -> Result<()>;

    /// Returns the next news; `None` after `timeout`, or if there will be none. Without a timeout it waits as long as it
    /// takes. An interrupt of the user ends the wait.
    fn next(&mut self, timeout: Option<Duration>) -> Option<News>;

    /// Gives back the resources of an action whose worker is done, while its result is still being stored. Called
    /// unless a stage that waits for this result is more urgent than all that could start instead.
    fn release(&mut self, action: ActionId);

    /// Ends the actions that were taken.
    fn stop(&mut self, how: Stop);
}
