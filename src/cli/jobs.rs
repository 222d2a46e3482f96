//! `callsheet jobs` and `callsheet cancel`.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_figures::label::counted;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::{print_json, print_text, say, table};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::candidates;
use super::exit::SUCCESS;
use crate::declare::Project;
use crate::plan::group;
use crate::report::find_run;
use crate::run::{Cancelled, ClusterJob, cancel_jobs, cluster_jobs};
use crate::store::Store;

/// List the jobs of this project on its clusters
#[derive(Args)]
#[command(after_help = "\
Jobs of one stage that have the same state share a line. Each reason for which jobs wait is explained.

Examples:
  callsheet jobs            jobs by stage and state
  callsheet jobs --all      every job with its id, for `scontrol show job ID`
  callsheet jobs --json     the list as JSON")]
pub(super) struct Jobs {
    /// Print one line for each job
    #[arg(long)]
    all: bool,
    /// Print the jobs as JSON
    #[arg(long)]
    json: bool,
}

impl Jobs {
    pub(super) fn execute(&self) -> Result<u8> {
        let jobs = cluster_jobs(&Store::of(&Project::find()?)?)?;
        if self.json {
            print_json(&jobs);
            return Ok(SUCCESS);
        }
        if jobs.is_empty() {
            print_text("no jobs of this project wait or run");
            return Ok(SUCCESS);
        }
        let rows = if self.all { jobs.iter().map(row).collect() } else { grouped(&jobs) };
        print_text(&table(rows, &[]));
        Ok(SUCCESS)
    }
}

fn row(job: &ClusterJob) -> Vec<String> {
    let ClusterJob { id, run, stages, state, reason } = job;
    vec![id.clone(), stages.join(", "), state.clone(), reason.clone(), format!("run {run}")]
}

/// Jobs of each stage by state and reason.
fn grouped(jobs: &[ClusterJob]) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<(String, &str, &str, &str), u64> = BTreeMap::new();
    for job in jobs {
        let names: BTreeSet<&str> = job.stages.iter().map(|stage| group(stage)).collect();
        let stages = names.into_iter().collect::<Vec<_>>().join(", ");
        *groups.entry((stages, &job.state, &job.reason, &job.run)).or_default() += 1;
    }
    let row = |((stages, state, reason, run), count): ((String, &str, &str, &str), u64)| {
        vec![stages, format!("{} {state}", counted(count, "job")), reason.to_owned(), format!("run {run}")]
    };
    groups.into_iter().map(row).collect()
}

/// Cancel the jobs of a run, or of all runs of this project
#[derive(Args)]
#[command(after_help = "\
Jobs that wait are cancelled. Workers that run are asked for a checkpoint, so that the next run resumes from it.

Examples:
  callsheet cancel              the jobs of all runs
  callsheet cancel latest       the jobs of the latest run
  callsheet cancel --now        also kill workers that could still write a checkpoint")]
pub(super) struct Cancel {
    /// Run: its id, a prefix of its id, `latest`, or `latest~1` [default: all runs]
    #[arg(add = ArgValueCompleter::new(candidates::runs))]
    run: Option<String>,
    /// Kill workers instead of asking them for a checkpoint
    #[arg(long)]
    now: bool,
}

impl Cancel {
    pub(super) fn execute(&self) -> Result<u8> {
        let store = Store::of(&Project::find()?)?;
        let run = self.run.as_ref().map(|run| find_run(&store, run)).transpose()?;
        let id = run.as_ref().map(|run| run.run.id.as_str());
        let Cancelled { jobs, left, engines } = cancel_jobs(&store, id, self.now, |count| {
            say(&format!("waiting for the end of {}", counted(count as u64, "job")));
        })?;
        if left > 0 {
            return Err(Error::user_error(
                Code::Busy,
                format!("{} did not end within a minute", counted(left as u64, "job")),
                "`callsheet cancel --now` kills them",
            ));
        }
        say(&match (jobs, engines) {
            (0, 0) => "no jobs wait or run".to_owned(),
            (0, engines) => {
                format!("asked {} to end, which had no job at the moment", counted(engines as u64, "run"))
            }
            (jobs, _) => format!("cancelled {}", counted(jobs as u64, "job")),
        });
        Ok(SUCCESS)
    }
}
