//! Expected raw files of a dataset, as the engine reads them from the dataset's file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use callsheet_worker::code::Code;
use callsheet_worker::user_error_with_code;
use serde::Deserialize;
use serde_json::Value;

use crate::commands::project::ask;

/// Table `[metadata]` of a dataset's file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metadata {
    /// Width and height of a file's image in pixels.
    pub size: Option<[u32; 2]>,
    /// Number of files of each split.
    pub files: BTreeMap<String, usize>,
    /// Total number of frames.
    pub frames: Option<usize>,
    /// Address from which the dataset can be fetched.
    pub url: Option<String>,
    /// SHA-256 of the fetched file.
    pub sha256: Option<String>,
}

/// A dataset as `callsheet datasets NAME --json` prints it.
#[derive(Deserialize)]
pub(super) struct Declared {
    /// Summary in one line.
    pub summary: String,
    /// Kind of import: `pairs`, `video` or another one.
    pub import: String,
    metadata: Value,
    /// Patterns of the raw files, and hints where a user gets them.
    pub sources: Vec<Source>,
    /// Raw files in the order of their names.
    pub files: Vec<RawFile>,
    /// Label of the stand-in that replaces missing files.
    pub stand_in: Option<String>,
}

/// Pattern of raw files.
#[derive(Deserialize)]
pub(super) struct Source {
    /// Pattern of paths relative to the project folder.
    pub pattern: String,
    /// Hint where to get the files; empty if there is none.
    pub hint: String,
}

/// A raw file.
#[derive(Deserialize)]
pub(super) struct RawFile {
    /// Path relative to the folder that the pattern begins with.
    pub name: String,
    /// Absolute path.
    pub path: PathBuf,
}

/// Output of `callsheet datasets --json`.
#[derive(Deserialize)]
struct Answer {
    datasets: Vec<Declared>,
}

/// A dataset, and expectations about its files.
pub(super) struct Raw {
    /// Declaration of the dataset.
    pub declared: Declared,
    /// Expectations about the files.
    pub metadata: Metadata,
}

/// Asks the engine for a dataset. Returns none if the engine refused; it has then printed the reason.
///
/// # Errors
/// Returns an error if the engine cannot be started, or `[metadata]` is malformed.
pub(super) fn raw(name: &str) -> Result<Option<Raw>> {
    let Some(answer) = ask(&["datasets", name, "--json"])? else { return Ok(None) };
    let answer: Answer =
        serde_json::from_slice(&answer).context("malformed output of `callsheet datasets`")?;
    let declared = answer.datasets.into_iter().next().context("`callsheet datasets` printed no dataset")?;
    let metadata = serde_json::from_value(declared.metadata.clone()).map_err(|error| {
        user_error_with_code(
            Code::Declaration,
            format!("[metadata] of the dataset `{name}`: {error}"),
            "use only the keys size = [width, height], files = { train = .. }, frames, url and sha256",
        )
    })?;
    Ok(Some(Raw { declared, metadata }))
}
