//! Observation of other runs in a shared store.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::heartbeat::{HOLDERS, Heartbeat};
use super::process::Holder;

/// Time between two questions to Slurm about one job.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Observations of other runs, by their ids. Only its own monotonic clock counts: clocks of machines differ.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<BTreeMap<String, Seen>>);

#[derive(Debug)]
struct Seen {
    /// Number of the latest heartbeat, and the time at which it was first seen.
    number: Option<u64>,
    since: Instant,
    beat: Option<Heartbeat>,
    /// Latest answer of Slurm.
    asked: Option<(Instant, Option<bool>)>,
}

impl Watched {
    /// Returns true if a run counts as alive: it has a recent heartbeat, and neither the process table of this machine nor
    /// Slurm reports that it has ended. After a restart by Slurm, a job lives on, but its earlier run does not.
    pub(super) fn lives(&self, root: &Path, holder: &Holder, expiry: Duration) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = look(&mut all, root, &holder.run);
        if holder.has_ended_here() || seen.since.elapsed() >= expiry {
            return false;
        }
        if seen.asked.is_none_or(|(at, _)| at.elapsed() >= ASK_AGAIN) {
            seen.asked = Some((Instant::now(), holder.job_lives()));
        }
        seen.asked.is_none_or(|(_, answer)| answer != Some(false))
    }

    /// Returns true if a run of unknown identity counts as alive.
    pub(super) fn beats(&self, root: &Path, run: &str, expiry: Duration) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut all, root, run).since.elapsed() < expiry
    }

    /// Progress of a run's work on a lease, as of its latest heartbeat.
    pub(super) fn progress(&self, run: &str, lease: &str) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(run)?.beat.as_ref()?.progress.get(lease).cloned()
    }
}

/// Looks for a newer heartbeat of a run.
fn look<'w>(all: &'w mut BTreeMap<String, Seen>, root: &Path, run: &str) -> &'w mut Seen {
    let (number, beat) = latest(root, run).unzip();
    let first = Seen { number, since: Instant::now(), beat: beat.clone().flatten(), asked: None };
    let seen = all.entry(run.to_owned()).or_insert(first);
    if number > seen.number {
        (seen.number, seen.since) = (number, Instant::now());
        seen.beat = beat.flatten().or_else(|| seen.beat.take());
    }
    seen
}

/// Number and content of the latest heartbeat of a run.
fn latest(root: &Path, run: &str) -> Option<(u64, Option<Heartbeat>)> {
    let folder = root.join(HOLDERS);
    let names =
        fs::read_dir(&folder).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter_map(|name| name.strip_prefix(run)?.strip_prefix('.')?.parse::<u64>().ok());
    let number = numbers.max()?;
    let text = fs::read(folder.join(format!("{run}.{number}"))).ok();
    Some((number, text.and_then(|text| serde_json::from_slice(&text).ok())))
}
