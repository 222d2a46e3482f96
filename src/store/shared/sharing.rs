//! Work of this process in a shared store.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use callsheet_worker::error::Result;

use super::heartbeat::HeartbeatThread;
use super::process::Holder;
use super::settings::Settings;
use super::watch::Watched;

/// Intents that this process has published ([`super::intents`]).
#[derive(Debug, Default)]
pub(super) struct Intents {
    /// Numbers of the next intent, and of the first one that was not withdrawn.
    pub published: u64,
    withdrawn: u64,
    /// Names in the intents that were not withdrawn.
    pub names: BTreeSet<String>,
}

/// Folder of the intents.
pub(super) const INTENTS: &str = "intents";

/// Longest pause between two looks at files of other machines.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Work of this process in a shared store, and what it has seen of others.
#[derive(Debug)]
pub(in crate::store) struct Sharing {
    pub(super) root: PathBuf,
    pub(super) settings: Settings,
    pub(super) intents: Mutex<Intents>,
    heartbeats: OnceLock<HeartbeatThread>,
    watched: Watched,
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl Sharing {
    /// Reads the settings of the store at `root`.
    ///
    /// # Errors
    /// Returns an error if the settings are malformed.
    pub(in crate::store) fn new(root: &Path) -> Result<Self> {
        let settings = Settings::read(root)?;
        let (heartbeats, watched) = (OnceLock::new(), Watched::default());
        Ok(Self { root: root.to_owned(), settings, intents: Mutex::default(), heartbeats, watched })
    }

    /// Begins the heartbeats of the run `run`, which lets it take leases.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub(in crate::store) fn begin(&self, run: &str) -> Result<()> {
        if self.heartbeats.get().is_none() {
            let heartbeats =
                HeartbeatThread::start(&self.root, Holder::this(run), self.settings.heartbeat())?;
            let _ = self.heartbeats.set(heartbeats);
        }
        Ok(())
    }

    /// Id of this process's run, if it has begun one.
    pub(in crate::store) fn run(&self) -> Option<&str> {
        Some(&self.heartbeats.get()?.holder.run)
    }

    /// Withdraws the intents of this run: its project needs what it still uses.
    pub(in crate::store) fn withdraw(&self) {
        let Some(run) = self.run() else { return };
        let mut intents = self.intents.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = intents.withdrawn..intents.published;
        intents.withdrawn = intents.published;
        intents.names.clear();
        numbers
            .for_each(|number| _ = fs::remove_file(self.root.join(INTENTS).join(format!("{run}.{number}"))));
    }

    /// This process.
    pub(super) fn holder(&self) -> &Holder {
        &self.heartbeats.get().expect("a run begins its heartbeats before it takes leases").holder
    }

    /// Creates a lease exclusively ([`HeartbeatThread::create_lease`]).
    pub(super) fn create_lease(&self, path: &Path) -> std::io::Result<()> {
        let heartbeats = self.heartbeats.get().expect("a run begins its heartbeats before it takes leases");
        heartbeats.create_lease(path)
    }

    /// States the progress of this process on a lease; `None` if its work has ended.
    pub(in crate::store) fn report(&self, lease: &str, progress: Option<String>) {
        if let Some(heartbeats) = self.heartbeats.get() {
            heartbeats.report(lease, progress);
        }
    }

    pub(super) fn lives(&self, holder: &Holder) -> bool {
        self.watched.lives(&self.root, holder, self.settings.expiry())
    }

    /// Returns true if the run with this id has a heartbeat that is not older than the expiry, as far as this process has
    /// watched it.
    pub(in crate::store) fn beats(&self, run: &str) -> bool {
        self.watched.beats(&self.root, run, self.settings.expiry())
    }

    /// Waits for a moment in which files of other machines may become visible here.
    pub(in crate::store) fn wait_for_news(&self) {
        thread::sleep(self.settings.heartbeat().min(LONGEST_WAIT));
    }

    pub(super) fn progress_of(&self, run: &str, lease: &str) -> Option<String> {
        self.watched.progress(run, lease)
    }
}
