//! `callsheet debug`.

use std::path::{Path, absolute};

use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::print::{print_json, print_text};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::json;
use shell_words::quote;

use super::candidates;
use super::exit::SUCCESS;
use super::target::{TargetArgs, sources};
use crate::run::{DebugJob, PreparedRows, machine, prepare_debug, preview};

/// Name of the folder in the data folder for workers that a person starts.
const DEBUG: &str = "debug";

/// Print the command that starts one stage by hand, e.g. in a debugger or a notebook
///
/// This writes the request of the stage, with its real inputs, to the folder data/debug/STAGE, and replaces its content. A
/// row-wise stage gets the rows that the store lacks, or all rows if it lacks none. The stage then runs without a sandbox
/// and with the environment of your shell, and nothing that it writes is published. The inputs are your raw files and the
/// files of the store: do not change them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet debug price_orders
  callsheet debug price_orders --rows 10          only ten rows of a row-wise stage
  callsheet debug price_orders --set price_orders.tax=0.2
  callsheet debug price_orders --json | jq -r .request")]
pub(super) struct Debug {
    /// Stage or stage instance, e.g. `train` or `train@v4-0`
    #[arg(add = ArgValueCompleter::new(candidates::stages))]
    stage: String,
    #[command(flatten)]
    which: TargetArgs,
    /// Largest number of rows for a row-wise stage [default: all]
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..))]
    rows: Option<u32>,
    /// Print the command, its folder and its request as JSON
    #[arg(long)]
    json: bool,
}

impl Debug {
    pub(super) fn execute(&self) -> Result<u8> {
        let (project, store, plan, snapshot) = self.which.snapshot()?;
        let position = plan.position(&self.stage)?;
        let mut sources = sources(&project, &store, &plan);
        let previews = preview(&store, &mut sources, &snapshot, &plan)?;
        let folder = project.data.join(DEBUG).join(&plan.stages[position].name);
        let folder = absolute(&folder).io_context("cannot find", &folder)?;
        let limit = self.rows.map_or(usize::MAX, |rows| rows as usize);
        let all = machine(None, None, None);
        let options = self.which.options();
        let job = prepare_debug(
            (&project, &store, &plan),
            &mut sources,
            &previews,
            position,
            &all,
            (&folder, limit, &options),
        )?;
        let command: Vec<String> =
            job.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        if self.json {
            let rows = job
                .rows
                .map(|rows| json!({ "given": rows.given, "missing": rows.missing, "of": rows.total }));
            print_json(&json!({
                "folder": job.folder, "command": command, "request": job.request, "rows": rows,
            }));
            return Ok(SUCCESS);
        }
        print(&job, &command, &project.root);
        Ok(SUCCESS)
    }
}

fn print(job: &DebugJob, command: &[String], root: &Path) {
    let folder = job.folder.strip_prefix(root).unwrap_or(&job.folder).display();
    if let Some(PreparedRows { given, missing, total }) = job.rows {
        print_text(&match missing {
            0 => format!("{folder} contains {given} of {total} rows; the store has all {total}"),
            _ => format!("{folder} contains {given} of {missing} missing rows"),
        });
    }
    let words: Vec<_> = command.iter().map(|word| quote(word)).collect();
    print_text(&format!("cd {} && {}", quote(&job.folder.to_string_lossy()), words.join(" ")));
    print_text(&format!(
        "in a notebook: job = callsheet.stage({}); outputs: {folder}/out",
        json!(job.request.to_string_lossy())
    ));
}
