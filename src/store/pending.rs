//! Objects that wait to be synced to the disk.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex};

/// Syncs that have begun and ended.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) state: Mutex<State>,
    pub(super) ended: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) running: bool,
    pub(super) waiting: Vec<(PathBuf, u64)>,
    pub(super) failed: BTreeSet<u64>,
}
