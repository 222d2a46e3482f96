//! Identity of a process that holds leases, and whether it lives as far as this machine or Slurm knows.

use std::env;
use std::fs;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// Process that computes results in a shared store.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(in crate::store) struct Holder {
    /// Id of its run.
    pub run: String,
    /// Name of its user.
    pub user: String,
    /// Name of its machine.
    pub host: String,
    /// Boot and process namespace within which `pid` identifies a process.
    within: String,
    pid: u32,
    /// Start of the process in ticks since the boot: process ids are used again.
    start: String,
    /// Slurm cluster and job, if the process is a part of one.
    job: Option<(String, String)>,
}

impl Holder {
    /// This process, which performs the run `run`.
    pub(super) fn this(run: &str) -> Self {
        let name = |variable| env::var(variable).ok().filter(|name| !name.is_empty());
        let uid = || rustix::process::getuid().as_raw().to_string();
        Self {
            run: run.to_owned(),
            user: name("USER").or_else(|| name("LOGNAME")).unwrap_or_else(uid),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            within: namespace(),
            pid: std::process::id(),
            start: start("self").unwrap_or_default(),
            job: cluster().zip(name("SLURM_JOB_ID")),
        }
    }

    /// Returns true if the process ran on this machine and has ended.
    pub(super) fn has_ended_here(&self) -> bool {
        self.within == namespace()
            && match start(&self.pid.to_string()) {
                Some(start) => start != self.start,
                None => !may_be_hidden(self.pid),
            }
    }

    /// Asks Slurm whether the job of the process lives; `None` if it has no job on this cluster, or Slurm does not answer.
    pub(super) fn job_lives(&self) -> Option<bool> {
        let (cluster_of_job, job) = self.job.as_ref()?;
        if cluster()? != *cluster_of_job {
            return None;
        }
        let output = Command::new("squeue").args(["-h", "-t", "all", "-j", job, "-o", "%T"]).output().ok()?;
        let (state, problem) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match state.lines().next().map(str::trim) {
            Some(state) => Some(LIVE.contains(&state)),
            None => (output.status.success() || problem.contains("Invalid job id")).then_some(false),
        }
    }
}

/// States of jobs whose processes live.
const LIVE: [&str; 7] =
    ["RUNNING", "COMPLETING", "RESIZING", "SUSPENDED", "SIGNALING", "STAGE_OUT", "STOPPED"];

/// Name of the Slurm cluster on which this process runs.
fn cluster() -> Option<String> {
    env::var("SLURM_CLUSTER_NAME").ok().filter(|name| !name.is_empty())
}

/// Returns true if a process may exist although `/proc` does not show it: with `hidepid`, it hides those of other users.
fn may_be_hidden(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

fn namespace() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let pids = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), pids.display())
}

/// Start of a process, which is the 22nd field of its state; the second one is a name that may contain spaces.
fn start(process: &str) -> Option<String> {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    state.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_on_this_machine_is_known_to_be_dead() {
        let holder = Holder::this("run");
        assert!(!holder.has_ended_here());
        assert!(Holder { start: "1".to_owned(), ..holder.clone() }.has_ended_here(), "its id is used again");
        let elsewhere = Holder { within: "another".to_owned(), start: "1".to_owned(), ..holder };
        assert!(!elsewhere.has_ended_here(), "its process ids say nothing here");
    }
}
