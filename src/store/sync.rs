//! Syncing objects to disk in batches: one thread syncs the objects of all waiting threads.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use callsheet_worker::error::{IoContext, Result};

use super::object::Object;
use super::place::object_name;
use super::root::Store;

/// Largest number of files that are synced one by one. Syncing the file system with one call also waits for
/// the writes of other programs.
const FEW: u64 = 64;

impl Store {
    /// Returns once the content of these objects is on the disk.
    ///
    /// # Errors
    /// Returns an error if an object cannot be synced.
    pub fn sync<'o>(&self, objects: impl IntoIterator<Item = &'o Object>) -> Result<()> {
        let mut state = self.pending.state.lock().unwrap_or_else(PoisonError::into_inner);
        // New objects are in the shared half, also if an equal one is in the other.
        let path = |object: &Object| self.shared.path(object_name(&object.bytes));
        let own: Vec<_> = objects.into_iter().map(|object| (path(object), object.files)).collect();
        state.waiting.extend(own.iter().cloned());
        // A sync that is running does not include these objects, so wait for the next one.
        let wanted = state.begun + 1;
        while state.ended < wanted {
            if state.running {
                state = self.pending.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.running = true;
            state.begun += 1;
            let this = state.begun;
            let batch = std::mem::take(&mut state.waiting);
            drop(state);
            let synced = self.sync_batch(&batch);
            state = self.pending.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.running = false;
            state.ended = this;
            if synced.is_err() {
                state.failed.insert(this);
            }
            self.pending.ended.notify_all();
        }
        let failed = state.failed.contains(&wanted);
        drop(state);
        // A failed batch may have failed because of another thread's objects, so sync the own objects again.
        if failed {
            self.sync_batch(&own).io_context("cannot sync", self.shared.path("objects"))
        } else {
            Ok(())
        }
    }

    fn sync_batch(&self, batch: &[(PathBuf, u64)]) -> io::Result<()> {
        // A shared file system has the writes of many machines.
        if self.sharing.is_none() && batch.iter().map(|(_, files)| files).sum::<u64>() > FEW {
            return Ok(rustix::fs::syncfs(File::open(self.shared.path("objects"))?)?);
        }
        batch.iter().try_for_each(|(path, _)| sync_below(path))
    }
}

/// Syncs the content of files, not their names: an object whose name is lost in a power cut is a cache miss.
fn sync_below(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_symlink() {
        // The folder of the link holds it.
        return Ok(());
    }
    if !kind.is_dir() {
        return File::open(path)?.sync_all();
    }
    fs::read_dir(path)?.try_for_each(|entry| sync_below(&entry?.path()))
}
