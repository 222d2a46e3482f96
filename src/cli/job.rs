//! `callsheet job`, a hidden command that the jobs of a cluster run.

use std::env;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;

use super::exit::SUCCESS;
use crate::run::{JobSignal, NodeResources, answer_check, perform_job};

/// Perform the tasks of a job on a node of a cluster
#[derive(Args)]
pub(super) struct Job {
    /// Folder of the submission
    folder: PathBuf,
    /// Position of the job in its array [default: SLURM_ARRAY_TASK_ID, or 0]
    #[arg(long)]
    index: Option<usize>,
    /// Check the node and this shared store instead
    #[arg(long, value_name = "STORE")]
    check: Option<PathBuf>,
}

impl Job {
    pub(super) fn execute(&self) -> Result<u8> {
        let (sender, signals) = mpsc::channel();
        listen(sender)?;
        let index = self.index.or_else(|| number("SLURM_ARRAY_TASK_ID")).unwrap_or_default();
        let node = resources(index);
        match &self.check {
            Some(store) => answer_check(&self.folder, index, store, node.cpus, node.gpus)?,
            None => perform_job(&self.folder, &node, signals)?,
        }
        Ok(SUCCESS)
    }
}

/// Resources that Slurm grants to this job; outside of Slurm, one CPU and the GPUs in CUDA_VISIBLE_DEVICES.
fn resources(index: usize) -> NodeResources {
    let text = |name| env::var(name).ok().filter(|text: &String| !text.is_empty());
    let gpus = text("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    NodeResources {
        index,
        job: text("SLURM_JOB_ID").unwrap_or_else(|| format!("p{}", std::process::id())),
        restart: number("SLURM_RESTART_COUNT").unwrap_or_default(),
        cpus: number("SLURM_CPUS_PER_TASK").or_else(|| number("SLURM_CPUS_ON_NODE")).unwrap_or(1),
        gpus: gpus.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect(),
    }
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

/// Forwards the signals of the cluster: USR2 announces the end of the job's time, others cancel the job.
fn listen(sender: Sender<JobSignal>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR2])
        .map_err(|error| Error::user_error(Code::Io, format!("cannot listen for signals: {error}"), ""))?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let _ = sender.send(if signal == SIGUSR2 { JobSignal::TimeIsUp } else { JobSignal::Stop });
        }
    });
    Ok(())
}
