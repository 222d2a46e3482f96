//! `callsheet report`.

use std::path::PathBuf;

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_document, say};
use clap::Args;

use super::exit::{SUCCESS, warn};
use super::which::store;
use crate::declare::Project;
use crate::report::{FILE, Subject, described, write};
use crate::store::out;

/// Write what a run did and made as one HTML file
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet report                     of the latest run, also while it goes on
  callsheet report latest~1 -o before.html
  callsheet run --report               of what is run, at its end
  callsheet compare latest~1 latest --html both.html

Outputs whose declaration says `figure` are shown in it; `callsheet schema stage` says how.")]
pub(super) struct Report {
    /// A run: its id, the beginning of it, `latest`, or `latest~1` for the one before
    #[arg(default_value = "latest")]
    run: String,
    /// Where to write it [default: report.html in the pipeline's folder of data/out]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the description of the run that commands of the project receive, as JSON, instead of a page
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl Report {
    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let store = store(&project)?;
        let subject = Subject::find(&project, &store, &self.run)?;
        if self.json {
            print_document(&described(&store, &subject));
            return Ok(SUCCESS);
        }
        let folder = out(&project.data, &subject.run.pipeline, &subject.run.dataset);
        let path = self.output.clone().unwrap_or_else(|| folder.join(FILE));
        warn(&write(&project, &store, &[subject], &path)?);
        say(&format!("written to {}", path.display()));
        Ok(SUCCESS)
    }
}
