//! Images that stages reported during a run, by step.

use std::fs;
use std::path::PathBuf;

use callsheet::store::RunDir;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};

/// Image that a stage reported.
pub(crate) struct Sample {
    /// Name of the series, such as `samples`.
    pub name: String,
    pub step: u64,
    /// Name of the file.
    pub file: String,
}

/// Returns the images of a stage instance by series and step.
pub(crate) fn samples(run: &RunDir, stage: &str) -> Vec<Sample> {
    let entries = fs::read_dir(folder(run, stage)).into_iter().flatten().flatten();
    let sample = |file: String| {
        let (name, step) = file.strip_suffix(".png")?.rsplit_once('-')?;
        Some(Sample { name: name.replace("%2f", "/"), step: step.parse().ok()?, file })
    };
    let files = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut samples: Vec<Sample> = files.filter_map(sample).collect();
    samples.sort_by(|a, b| (&a.name, a.step).cmp(&(&b.name, b.step)));
    samples
}

/// Returns the bytes of the image in this file, if the stage reported it.
///
/// # Errors
/// Returns an error if the image is unknown, or it cannot be read.
pub(crate) fn picture(run: &RunDir, stage: &str, file: &str) -> Result<Vec<u8>> {
    let path = folder(run, stage).join(file);
    // A name in an address can contain any character.
    if file.contains('/') || !file.ends_with(".png") || !path.is_file() {
        let message = format!("stage `{stage}` reported no image `{file}` in this run");
        return Err(Error::user_error(
            Code::UnknownName,
            message,
            "the page of the stage links to all images",
        ));
    }
    fs::read(&path).io_context("cannot read", path)
}

/// Path of the folder with the images of a stage instance, whose name is known.
fn folder(run: &RunDir, stage: &str) -> PathBuf {
    run.path().join("images").join(stage)
}
