//! One of the objectives that are written down, checked, without what changes nothing.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::error::suggest;
use callsheet_worker::{Job, refusal};
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
/// When there is no objective of that name, or something is wrong with it.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let files = &job.files("objectives")?.paths;
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let Some(path) = files.iter().find(|path| stem(path) == params.name) else {
        let known: Vec<String> = files.iter().map(|path| stem(path)).collect();
        return Err(refusal(
            format!("no objective `{}` among {} files", params.name, files.len()),
            suggest(&params.name, known.iter().map(String::as_str)),
        ));
    };
    let objective = read(path, params.freeze_encoder)?;
    let output = job.output("objective")?;
    let text = serde_json::to_string_pretty(&objective)?;
    fs::write(output, text + "\n").with_context(|| format!("cannot write {}", output.display()))
}
