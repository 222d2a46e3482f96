//! The running workers, and the supervisor process that kills them if the engine cannot.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::protocol::RUN_VARIABLE;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::declare::engine;
use crate::store::remove_folder;

/// Longest wait for killed processes; a process that waits for a disk does not end at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Line with which the engine reports to the supervisor process that it has ended all workers itself.
const ENDED: &str = ".";

/// Process groups of workers, and the supervisor process. Dropping it waits until that process ends.
pub(in crate::run) struct ProcessSupervisor {
    state: Mutex<State>,
    process: Child,
}

#[derive(Default)]
struct State {
    groups: HashSet<Pid>,
    stopping: Option<Signal>,
}

impl ProcessSupervisor {
    /// Starts the supervisor process for the folder `staging` and for the workers of `run`, which have the
    /// run's id in their environment.
    ///
    /// # Errors
    /// Returns an error if the process cannot be started.
    pub(in crate::run) fn new(run: &str, staging: &Path) -> Result<Self> {
        let program = engine()?;
        let mut process = Command::new(&program);
        process.arg("supervise").arg(run).arg(staging).process_group(0);
        process.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = process.spawn().io_context("cannot start", &program)?;
        Ok(Self { state: Mutex::default(), process })
    }

    /// Registers a worker; if the run is being stopped, the worker is stopped, too.
    pub(in crate::run) fn add(&self, group: Pid) {
        let mut state = self.state();
        state.groups.insert(group);
        tell(&self.process, '+', group);
        if let Some(signal) = state.stopping {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Removes a worker before it is reaped.
    pub(in crate::run) fn remove(&self, group: Pid) {
        self.state().groups.remove(&group);
        tell(&self.process, '-', group);
    }

    /// Sends a signal to every worker, and to those that are still being started.
    pub(in crate::run) fn stop(&self, signal: Signal) {
        let mut state = self.state();
        state.stopping = Some(signal);
        for group in &state.groups {
            let _ = kill_process_group(*group, signal);
        }
    }

    /// Returns true if workers are being stopped.
    pub(in crate::run) fn stopping(&self) -> bool {
        self.state().stopping.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds (`+`) or removes (`-`) a process group in the supervisor process, if that process still runs.
fn tell(process: &Child, sign: char, group: Pid) {
    if let Some(mut stdin) = process.stdin.as_ref() {
        let _ = stdin.write_all(format!("{sign}{}\n", group.as_raw_nonzero()).as_bytes());
    }
}

impl Drop for ProcessSupervisor {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.process.stdin.take() {
            let _ = writeln!(stdin, "{ENDED}");
        }
        let _ = self.process.wait();
    }
}

/// Main function of the supervisor process. It waits until the engine ends for any reason. Then it kills
/// every process in the workers' groups and every other process with `run` in its environment, and removes the
/// run's folder. If the engine was killed, it also kills processes whose current folder is in `staging`.
pub fn supervise(run: &str, staging: &Path) {
    let mut groups = HashSet::new();
    let mut killed = true;
    for line in io::stdin().lines().map_while(Result::ok) {
        let group = line.get(1..).and_then(|id| Pid::from_raw(id.parse().ok()?));
        match group {
            Some(group) if line.starts_with('+') => _ = groups.insert(group),
            Some(group) => _ = groups.remove(&group),
            None => killed &= line != ENDED,
        }
    }
    for group in groups {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let clock = Instant::now();
    let folder = if killed { fs::canonicalize(staging).ok() } else { None };
    while let workers @ [_, ..] = &workers_of(run, folder.as_deref())[..]
        && clock.elapsed() < PATIENCE
    {
        for worker in workers {
            let _ = kill_process(*worker, Signal::KILL);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = remove_folder(staging);
}

/// Returns the processes with `run` in their environment, and those whose current folder is in `staging`: the engine may
/// be killed before it registers a worker, which may have dropped its environment by then.
fn workers_of(run: &str, staging: Option<&Path>) -> Vec<Pid> {
    let name = format!("{RUN_VARIABLE}={run}").into_bytes();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_staging = |folder: &PathBuf| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == name)
            || staging.is_some_and(|staging| {
                fs::read_link(folder.join("cwd")).is_ok_and(|current| current.starts_with(staging))
            })
    };
    let ids = processes
        .map(|entry| entry.path())
        .filter(of_staging)
        .filter_map(|folder| Pid::from_raw(folder.file_name()?.to_str()?.parse().ok()?));
    ids.collect()
}
