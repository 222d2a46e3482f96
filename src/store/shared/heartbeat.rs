//! Heartbeat of a run: `holders/<run>.<number>`, which is written again under the next number. Watchers on other machines
//! find the new name by listing the folder, however long they remember old names.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use callsheet_worker::error::{IoContext, Result};
use serde::{Deserialize, Serialize};

use super::process::Holder;
use crate::store::files::create_below;

/// Folder of the heartbeats.
pub(super) const HOLDERS: &str = "holders";

/// Extension of the file whose hard links are the leases of a run.
const LEASE: &str = "lease";

/// Content of a heartbeat.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::store) struct Heartbeat {
    #[serde(flatten)]
    pub holder: Holder,
    /// Progress of the work on each lease, by the lease's name: `40 of 100 rows`.
    pub progress: BTreeMap<String, String>,
}

/// Writes the heartbeats of this process until it is dropped.
#[derive(Debug)]
pub(super) struct HeartbeatThread {
    pub holder: Holder,
    /// File whose hard links are the leases of this process: a lease is never seen without its content.
    leases: PathBuf,
    progress: Arc<Mutex<BTreeMap<String, String>>>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HeartbeatThread {
    /// Writes the first heartbeat, and starts the thread that writes the next ones.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub(super) fn start(root: &Path, holder: Holder, interval: Duration) -> Result<Self> {
        let progress: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let folder = root.join(HOLDERS);
        create_below(root, &folder)?;
        let path = move |number: u64, run: &str| folder.join(format!("{run}.{number}"));
        let first = path(1, &holder.run);
        write(&first, &Heartbeat { holder: holder.clone(), progress: BTreeMap::new() })
            .io_context("cannot write", &first)?;
        let leases = root.join(HOLDERS).join(format!("{}.{LEASE}", holder.run));
        write_lease(&leases, &holder)?;
        let (end, ended) = channel();
        let (own, of_work) = (holder.clone(), progress.clone());
        let thread = thread::spawn(move || {
            let mut last = first;
            for number in 2.. {
                if ended.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                let progress = of_work.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let next = path(number, &own.run);
                // A heartbeat that cannot be written now may be written the next time.
                if write(&next, &Heartbeat { holder: own.clone(), progress }).is_ok() {
                    let _ = fs::remove_file(std::mem::replace(&mut last, next));
                }
            }
            let _ = fs::remove_file(last);
        });
        Ok(Self { holder, leases, progress, end: Some(end), thread: Some(thread) })
    }

    /// Creates a lease exclusively.
    ///
    /// # Errors
    /// Returns an error if the lease exists, or cannot be created.
    pub(super) fn create_lease(&self, path: &Path) -> std::io::Result<()> {
        match fs::hard_link(&self.leases, path) {
            // Another run may have taken this one for dead, because it was frozen for long.
            Err(error) if matches!(error.kind(), ErrorKind::TooManyLinks | ErrorKind::NotFound) => {
                write_lease(&self.leases, &self.holder).map_err(std::io::Error::other)?;
                fs::hard_link(&self.leases, path)
            }
            made => made,
        }
    }

    /// States the progress of the work on a lease; `None` if it has ended.
    pub(super) fn report(&self, lease: &str, progress: Option<String>) {
        let mut all = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Some(progress) => all.insert(lease.to_owned(), progress),
            None => all.remove(lease),
        };
    }
}

impl Drop for HeartbeatThread {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.leases);
    }
}

/// Writes the file whose hard links are leases, as a new file.
fn write_lease(path: &Path, holder: &Holder) -> Result<()> {
    let draft = path.with_extension("lease-draft");
    let text = serde_json::to_vec(holder).expect("texts by name");
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, path)).io_context("cannot write", path)
}

fn write(path: &PathBuf, beat: &Heartbeat) -> std::io::Result<()> {
    let text = serde_json::to_vec(beat).expect("texts by name");
    fs::File::create(path)?.write_all(&text)
}
