//! Leases: work in progress, so that others wait for its result instead of doing the same work. They never decide which
//! result is kept.
//!
//! A lease is a file `<name>.<number>` that is created exclusively. Whoever finds the holder of the highest number dead
//! creates the next one, and then looks whether somebody else holds a lease of this name meanwhile.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use callsheet_worker::error::{IoContext, Result};

use super::process::Holder;
use super::sharing::Sharing;
use crate::store::files::create_below;

/// Folder of the leases.
pub(super) const LEASES: &str = "leases";

/// Longest pause between two looks at a lease that another process holds.
const PAUSE: Duration = Duration::from_millis(1000);

/// Extension of the file with which the holder of a lease ended: its record, or itself if it has none.
const RECORD: &str = "json";

/// Lease of this process, until it is dropped.
#[derive(Debug)]
pub(in crate::store) struct Lease {
    path: PathBuf,
    name: String,
    number: u64,
    run: String,
}

/// A name in the folder of leases: a lease, or the record with which its holder ended.
struct Entry {
    number: u64,
    is_record: bool,
}

impl Sharing {
    /// Takes the lease `name`. While another process that lives holds it, calls `waiting` with a description of this
    /// process before every further attempt. Returns `None` if `waiting` returns false.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub(in crate::store) fn lease(
        &self,
        name: &str,
        mut waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Lease>> {
        let shelf = self.shelf(name);
        create_below(&self.root, &shelf)?;
        let own = self.holder();
        loop {
            let found = entries(&shelf, name);
            if let Some(other) = self.live_holder(&shelf, name, &found, None) {
                if !waiting(&self.describe(&other, name)) {
                    return Ok(None);
                }
                thread::sleep(self.settings.heartbeat().min(PAUSE));
                continue;
            }
            let number = found.iter().map(|entry| entry.number + 1).max().unwrap_or_default();
            let path = shelf.join(format!("{name}.{number}"));
            match self.create_lease(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    thread::sleep(jitter());
                    continue;
                }
                made => made.io_context("cannot write", &path)?,
            }
            let lease = Lease { path, name: name.to_owned(), number, run: own.run.clone() };
            // Somebody may have listed the folder before an earlier holder left, or may have been faster.
            if self.live_holder(&shelf, name, &entries(&shelf, name), Some(number)).is_none() {
                return Ok(Some(lease));
            }
            drop(lease);
            thread::sleep(jitter());
        }
    }

    /// Holder of a lease other than `own` who lives; a lease that cannot be read is being written.
    fn live_holder(
        &self,
        shelf: &Path,
        name: &str,
        found: &[Entry],
        own: Option<u64>,
    ) -> Option<Option<Holder>> {
        let others = found.iter().filter(|entry| !entry.is_record && Some(entry.number) != own);
        others.map(|entry| format!("{name}.{}", entry.number)).find_map(|file| {
            match fs::read(shelf.join(&file)) {
                // Its name may have been asked for here before it was created.
                Err(_) => self.beats(&file).then_some(None),
                Ok(text) => match serde_json::from_slice::<Holder>(&text) {
                    Ok(holder) => self.lives(&holder).then_some(Some(holder)),
                    Err(_) => self.beats(&file).then_some(None),
                },
            }
        })
    }

    /// Paths of the records with which earlier holders of the lease `name` ended, latest first. Their names are fresh, so
    /// that a record is found also where its own name was asked for before.
    pub(in crate::store) fn records_of_lease(&self, name: &str) -> Vec<PathBuf> {
        let shelf = self.shelf(name);
        let records = entries(&shelf, name).into_iter().filter(|entry| entry.is_record);
        let mut numbers: Vec<u64> = records.map(|entry| entry.number).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers.into_iter().map(|number| shelf.join(format!("{name}.{number}.{RECORD}"))).collect()
    }

    fn shelf(&self, name: &str) -> PathBuf {
        let digest = name.rsplit('-').next().unwrap_or(name);
        self.root.join(LEASES).join(digest.get(..2).unwrap_or("00"))
    }

    /// Description of a holder: `<run> of ada on node7 (40 of 100 rows)`; of this run itself, only its id.
    fn describe(&self, holder: &Option<Holder>, lease: &str) -> String {
        match holder {
            None => "another".to_owned(),
            Some(holder) if holder.run == self.holder().run => holder.run.clone(),
            Some(holder) => {
                let progress = self.progress_of(&holder.run, lease).map(|progress| format!(" ({progress})"));
                let Holder { run, user, host, .. } = holder;
                format!("{run} of {user} on {host}{}", progress.unwrap_or_default())
            }
        }
    }
}

impl Lease {
    /// Name of the lease.
    pub(in crate::store) fn name(&self) -> &str {
        &self.name
    }

    /// Gives the record with which the work ended a name that nobody has asked for.
    pub(in crate::store) fn publish(&self, record: &Path) {
        // Without this name, others see the record as soon as they look at its own name again.
        let _ = fs::hard_link(
            record,
            self.path.with_file_name(format!("{}.{}.{RECORD}", self.name, self.number)),
        );
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let shelf = self.path.parent().unwrap_or(&self.path);
        let (found, ended) = (entries(shelf, &self.name), format!("{}.{}.{RECORD}", self.name, self.number));
        // Earlier holders were dead when this lease was taken.
        for entry in found.iter().filter(|entry| !entry.is_record && entry.number < self.number) {
            let _ = fs::remove_file(shelf.join(format!("{}.{}", self.name, entry.number)));
        }
        // A run that was taken for dead for long may find the lease of another run under this name.
        let holder = fs::read(&self.path).ok().and_then(|text| serde_json::from_slice::<Holder>(&text).ok());
        if holder.is_none_or(|holder| holder.run != self.run) {
            return;
        }
        // The number is not used again: where its name is stale, the next holder could not be seen.
        if found.iter().any(|entry| entry.is_record && entry.number == self.number) {
            let _ = fs::remove_file(&self.path);
        } else {
            let _ = fs::rename(&self.path, shelf.join(ended));
        }
    }
}

/// Random pause after which one of two processes that met at a lease is the first to try again.
fn jitter() -> Duration {
    Duration::from_millis(5 + RandomState::new().hash_one(()) % 60)
}

fn entries(shelf: &Path, name: &str) -> Vec<Entry> {
    let names = fs::read_dir(shelf).into_iter().flatten().flatten();
    let entry = |file: String| {
        let rest = file.strip_prefix(name)?.strip_prefix('.')?;
        let (number, is_record) = match rest.split_once('.') {
            Some((number, RECORD)) => (number, true),
            Some(_) => return None,
            None => (rest, false),
        };
        Some(Entry { number: number.parse().ok()?, is_record })
    };
    names.filter_map(|file| entry(file.file_name().into_string().ok()?)).collect()
}
