//! Claims on work: other runs wait for its result. On one machine they are locks; in a shared store, leases.

use std::path::PathBuf;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;

use super::lock::{Lock, LockName};
use super::root::Store;
use super::shared::lease::Lease;
use crate::key::ActionKey;

/// Claim on a piece of work, until it is dropped.
#[derive(Debug)]
pub struct Claim(pub(super) Held);

#[derive(Debug)]
pub(super) enum Held {
    Lock(Lock),
    Lease(Lease),
}

impl Store {
    /// Claims an action. Waits while another process performs the action: calls `waiting` with a description of this
    /// process before every further attempt. Returns `None` if `waiting` returns false.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn claim(
        &self,
        key: &Digest,
        holder: &str,
        waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Claim>> {
        // The draft of its record is the lock of an action, which saves one file for each.
        let draft = || self.record_path(key).with_extension("draft");
        self.hold(&key.to_string(), draft, holder, waiting)
    }

    /// Claims checkpoints or rows, as [`Self::claim`] does.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn claim_work(
        &self,
        name: &LockName,
        holder: &str,
        waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Claim>> {
        self.hold(&name.to_string(), || self.lock_path(name), holder, waiting)
    }

    /// Takes the lease `name` in a shared store, otherwise the lock on the file `lock`.
    fn hold(
        &self,
        name: &str,
        lock: impl FnOnce() -> PathBuf,
        holder: &str,
        waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Claim>> {
        let held = match &self.sharing {
            Some(sharing) => sharing.lease(name, waiting)?.map(Held::Lease),
            None => Lock::take(lock(), holder, waiting)?.map(Held::Lock),
        };
        Ok(held.map(Claim))
    }

    /// States how far the work on a claimed action is; others who wait for the action, its checkpoints or its rows see
    /// this. Without `progress`, the work has ended.
    pub fn report_progress(&self, key: &ActionKey, progress: Option<&dyn Fn() -> String>) {
        let Some(sharing) = &self.sharing else { return };
        let (scratch, pool) = (key.scratch_digest(), key.pool());
        let shared = [Some(LockName::Scratch(&scratch)), pool.as_ref().map(LockName::Rows)];
        let names = shared.into_iter().flatten().map(|name| name.to_string());
        for name in names.chain([key.digest().to_string()]) {
            sharing.report(&name, progress.map(|progress| progress()));
        }
    }
}
