//! `callsheet read-table`, a hidden command: the worker of the built-in stage that reads raw files as a table.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use callsheet_worker::error::Result;
use callsheet_worker::{Job, perform};
use clap::Args;

use super::exit::{STAGE_FAILED, SUCCESS};
use crate::raw_table::{RawFile, read_table};

/// Read raw files as a table
#[derive(Args)]
pub(super) struct ReadTable {
    /// Path of the request
    request: PathBuf,
}

impl ReadTable {
    pub(super) fn execute(&self) -> Result<u8> {
        let succeeded = perform(run, &self.request) == ExitCode::SUCCESS;
        Ok(if succeeded { SUCCESS } else { STAGE_FAILED })
    }
}

/// Parameters, as declared in read_table.toml.
#[derive(serde::Deserialize)]
struct Params {
    columns: Vec<String>,
}

fn run(job: &Job) -> anyhow::Result<()> {
    let Params { columns } = job.params()?;
    // The name of a column may contain colons itself, a type does not.
    let pair = |text: &String| text.rsplit_once(": ").map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    let columns: BTreeMap<String, String> = columns.iter().filter_map(pair).collect();
    let input = job.files("files")?;
    let named = input.paths.iter().zip(&input.names);
    let files: Vec<RawFile> =
        named.map(|(path, name)| RawFile { path: path.clone(), name: name.clone() }).collect();
    let progress = |done: usize| job.progress(done, files.len(), "files");
    let rows = read_table(&files, &columns, job.output("table")?, &job.request.footer, progress)?;
    if rows == 0 {
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        job.warn(format!("{} has no rows", names.join(", ")));
    }
    Ok(())
}
