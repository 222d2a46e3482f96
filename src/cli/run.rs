//! `callsheet run`.

use std::io::IsTerminal;
use std::thread::available_parallelism;

use clap::Args;

use super::{STAGE_FAILED, SUCCESS, Which, bars::Bars, lines::Lines, print_error};
use crate::error::Result;
use crate::event::Event;
use crate::run::{RunOptions, run};

/// Run every stage whose result is not there yet
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet run
  callsheet run --set train_encoder.margin=0.2   run what that changes, and nothing else
  callsheet run --jobs 1                         one CPU for all workers together
  callsheet run --json | jq .event               every event as one JSON line")]
pub struct Run {
    #[command(flatten)]
    which: Which,
    /// CPUs that all workers together may use [default: all]
    #[arg(short, long, value_name = "CPUS", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Print every event as one JSON line
    #[arg(long)]
    json: bool,
}

impl Run {
    pub fn execute(&self) -> Result<u8> {
        let (project, store, plan) = self.which.resolve()?;
        let all = available_parallelism().map_or(1, usize::from);
        let options = RunOptions { cpus: self.jobs.map_or(all, usize::from) };
        let title = format!(
            "{} on {}, profile {}",
            plan.request.pipeline, plan.request.dataset, plan.request.profile
        );
        let labels = plan.stages.iter().flat_map(|stage| stage.labels.iter().cloned()).collect();
        let mut reporter: Box<dyn FnMut(&Event)> = if self.json {
            Box::new(|event| super::print_text(&serde_json::to_string(event).expect("plain data")))
        } else if std::io::stderr().is_terminal() {
            let mut bars = Bars::new(Lines::new(title, labels));
            Box::new(move |event| bars.report(event))
        } else {
            let mut lines = Lines::new(title, labels);
            Box::new(move |event| lines.report(event).iter().for_each(|line| super::say(line)))
        };
        let summary = run(&project, &store, &plan, options, |event| reporter(event))?;
        drop(reporter);
        if summary.failed.is_empty() {
            return Ok(SUCCESS);
        }
        for (stage, error) in summary.failed {
            super::say(&format!("\nstage `{stage}` failed:"));
            print_error(error);
        }
        Ok(STAGE_FAILED)
    }
}
