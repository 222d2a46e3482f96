//! `callsheet compare`.

use std::path::PathBuf;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::{print_json, print_text, say, table};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::json;

use super::candidates;
use super::exit::{SUCCESS, warn};
use crate::declare::Project;
use crate::metrics::curves;
use crate::report::{Subject, differences, find_run, last_values, write};
use crate::store::{RunRecord, Store};

/// Compare the parameters, artifacts and metrics of runs
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet runs
  callsheet compare latest~1 latest
  callsheet compare latest~2 latest~1 latest --html compared.html
  callsheet compare 2026-11-23T10 2026-11-23T11 --json")]
pub(super) struct Compare {
    /// Runs to compare: ids, prefixes of ids, `latest`, or `latest~1` for the run before the latest. More
    /// than two runs require --html
    #[arg(required = true, num_args = 2.., value_name = "RUN", add = ArgValueCompleter::new(candidates::runs))]
    runs: Vec<String>,
    /// Write an HTML page that shows two or more runs side by side, with figures and curves
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// Print the differences as JSON
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let store = Store::of(&project)?;
        if let Some(path) = &self.html {
            let subjects = self.runs.iter().map(|run| Subject::find(&project, &store, run));
            warn(&write(&project, &store, &subjects.collect::<Result<Vec<_>>>()?, path)?);
            say(&format!("written to {}", path.display()));
            return Ok(SUCCESS);
        }
        let runs = self.runs.iter().map(|run| Ok(find_run(&store, run)?.run)).collect::<Result<Vec<_>>>()?;
        let [a, b] = &runs[..] else {
            return Err(Error::user_error(
                Code::Conflict,
                format!("{} runs cannot be compared in the terminal", runs.len()),
                "name two runs, or write a page with `--html FILE`",
            ));
        };
        let stages = differences(&store, (a, b), ["a", "b"]);
        let last = |run: &RunRecord| last_values(&curves(&store, &run.id, Some(run)));
        let (before, after) = (last(a), last(b));
        let both = before.iter().filter_map(|(name, old)| Some((name, *old, *after.get(name)?)));
        let metrics: Vec<_> = both.filter(|(_, old, new)| old != new).collect();
        if self.json {
            let metrics =
                metrics.iter().map(|(name, old, new)| json!({ "metric": name, "a": old, "b": new }));
            let metrics: Vec<_> = metrics.collect();
            print_json(&json!({ "a": a, "b": b, "stages": stages, "metrics": metrics }));
            return Ok(SUCCESS);
        }
        for (letter, run) in [("a", a), ("b", b)] {
            print_text(&format!("{letter}  {}  {}", run.id, describe(run)));
        }
        for (stage, lines) in &stages {
            print_text(&format!("\n{stage}"));
            lines.iter().for_each(|line| print_text(&format!("  {line}")));
        }
        if !metrics.is_empty() {
            let header = ["last value", "a", "b"].map(str::to_owned).to_vec();
            let lines = metrics
                .iter()
                .map(|(name, old, new)| vec![name.to_string(), format!("{old:.5}"), format!("{new:.5}")]);
            print_text(&format!("\n{}", table([header].into_iter().chain(lines), &[1, 2])));
        }
        if stages.is_empty() {
            print_text("\nno differences between the results");
        }
        Ok(SUCCESS)
    }
}

/// Description of a run: `train on mine, profile small, --set train.rate=0.2`.
pub(super) fn describe(run: &RunRecord) -> String {
    let text = run.target.to_string();
    run.set.iter().fold(text, |text, set| format!("{text}, --set {set}"))
}
