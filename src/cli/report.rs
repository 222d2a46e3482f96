//! `callsheet report`.

use std::path::PathBuf;

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_document, say};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::candidates;
use super::exit::{SUCCESS, warn};
use super::run::report_path;
use crate::declare::Project;
use crate::plan::Request;
use crate::report::{Subject, described, write};
use crate::store::Store;

/// Write a self-contained HTML report of a run
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet report                     the latest run, even while it is running
  callsheet report latest~1 -o before.html
  callsheet run --report               run stages, then report on that run
  callsheet compare latest~1 latest --html both.html

The report shows every output that has a `figure` in stage.toml; `callsheet schema stage` describes the values
of `figure`.")]
pub(super) struct Report {
    /// Run to report: its id, a prefix of its id, `latest`, or `latest~1` for the run before the latest
    #[arg(default_value = "latest", add = ArgValueCompleter::new(candidates::runs))]
    run: String,
    /// File to write [default: data/out/<pipeline>/<dataset>/<profile>/report.html]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the run as JSON instead of writing a page; commands with `report = true` in callsheet.toml
    /// receive this JSON
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl Report {
    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let store = Store::of(&project)?;
        let subject = Subject::find(&project, &store, &self.run)?;
        if self.json {
            print_document(&described(&store, &subject));
            return Ok(SUCCESS);
        }
        let request = Request { target: subject.run.target.clone(), set: subject.run.set.clone() };
        let path = self.output.clone().unwrap_or_else(|| report_path(&project, &request, &subject.run.id));
        warn(&write(&project, &store, &[subject], &path)?);
        say(&format!("written to {}", path.display()));
        Ok(SUCCESS)
    }
}
