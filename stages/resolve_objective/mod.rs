//! Reads one of the declared objectives, checks it, and removes entries that have no effect.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::error::suggest;
use callsheet_worker::{Job, user_error};
use serde::Deserialize;

use crate::lib::objective::read;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    name: String,
    freeze_encoder: bool,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if the objective is unknown or invalid.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let files = &job.files("objectives")?.paths;
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let Some(path) = files.iter().find(|path| stem(path) == params.name) else {
        let known: Vec<String> = files.iter().map(|path| stem(path)).collect();
        return Err(user_error(
            format!("unknown objective `{}`: none of {} files has this name", params.name, files.len()),
            suggest(&params.name, known.iter().map(String::as_str)),
        ));
    };
    let objective = read(path, params.freeze_encoder)?;
    let output = job.output("objective")?;
    let text = serde_json::to_string_pretty(&objective)?;
    fs::write(output, text + "\n").with_context(|| format!("cannot write `{}`", output.display()))
}
