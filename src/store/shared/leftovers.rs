//! Files that killed runs left behind in a shared store. Ages are differences of times that the file system set, because
//! clocks of machines differ.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::heartbeat::{HOLDERS, Heartbeat};
use super::sharing::Sharing;
use crate::store::files::remove;
use crate::store::half::read_json;

/// Age after which the files of a run without a heartbeat count as left behind.
pub(super) const ABANDONED: Duration = Duration::from_secs(3600);

impl Sharing {
    /// Removes the folders and files in `staging` of runs that had no heartbeat for an hour, and these heartbeats. `own`
    /// was just created by this process.
    pub(in crate::store) fn remove_leftovers(&self, staging: &Path, own: &Path) {
        let Some(now) = changed(own) else { return };
        let is_old = |time: SystemTime| now.duration_since(time).is_ok_and(|age| age > ABANDONED);
        let beats = listed(&self.root.join(HOLDERS));
        let beat_of = |run: &str| {
            let of_run = beats.iter().filter(|beat| beat.file_stem().is_some_and(|stem| stem == run));
            of_run.filter_map(|beat| changed(beat)).max()
        };
        for path in listed(staging) {
            let run = path.file_name().unwrap_or_default().to_string_lossy();
            if changed(&path).max(beat_of(&run)).is_some_and(is_old) {
                let _ = remove(&path);
            }
        }
        for beat in &beats {
            // The file of a run's leases is as old as the run.
            let of_run = beat.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if beat_of(&of_run).is_some_and(is_old) {
                let _ = fs::remove_file(beat);
            }
        }
    }

    /// Heartbeats that are not older than the expiry, by a time `now` of the store's file system.
    pub(super) fn fresh_beats(&self, now: SystemTime) -> Vec<Heartbeat> {
        let fresh = |path: &PathBuf| {
            changed(path)
                .is_some_and(|time| now.duration_since(time).unwrap_or_default() < self.settings.expiry())
        };
        let beats = listed(&self.root.join(HOLDERS)).into_iter().filter(fresh);
        beats.filter_map(|path| read_json(&path)).collect()
    }

    /// Heartbeats of a run that are in the store.
    pub(super) fn beat_files(&self, run: &str) -> Vec<PathBuf> {
        let beats = listed(&self.root.join(HOLDERS)).into_iter();
        beats.filter(|beat| beat.file_stem().is_some_and(|stem| stem == run)).collect()
    }
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path).ok()?.modified().ok()
}
