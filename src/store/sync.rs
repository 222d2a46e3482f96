//! Durability for many at once: one call to the disk serves every thread that waits for it.

use std::fs::File;
use std::sync::{Condvar, Mutex, PoisonError};

use super::Store;
use crate::error::{Doing, Result};

/// Syncs begun and ended.
#[derive(Debug, Default)]
pub(super) struct Sync {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    begun: u64,
    ended: u64,
    running: bool,
}

impl Store {
    /// Returns once everything that was written to the store's file system before is on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<()> {
        let mut state = self.sync.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A sync that is running may have passed what was written last: the next one serves.
        let wanted = state.begun + 1;
        while state.ended < wanted {
            if state.running {
                state = self.sync.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.running = true;
            state.begun += 1;
            let this = state.begun;
            drop(state);
            let synced = File::open(&self.root).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
            state = self.sync.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.running = false;
            self.sync.ended.notify_all();
            synced.doing("cannot sync", &self.root)?;
            state.ended = this;
        }
        Ok(())
    }
}
