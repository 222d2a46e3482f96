//! Expectations about the raw files of a dataset, from its file, as the engine reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use callsheet_worker::code::Code;
use callsheet_worker::user_error;
use serde::Deserialize;
use serde_json::Value;

use crate::commands::project::ask;

/// The table `[metadata]` of a dataset's file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metadata {
    /// Width and height of a file's image in pixels.
    pub size: Option<[u32; 2]>,
    /// Files of each split.
    pub files: BTreeMap<String, usize>,
    /// Frames in all.
    pub frames: Option<usize>,
    /// Address from which it can be fetched.
    pub url: Option<String>,
    /// SHA-256 of what is fetched.
    pub sha256: Option<String>,
}

/// A dataset as `callsheet datasets NAME --json` prints it.
#[derive(Deserialize)]
pub(super) struct Declared {
    /// Summary in one line.
    pub summary: String,
    /// Import of its files: `pairs`, `video` or another one.
    pub import: String,
    metadata: Value,
    /// Patterns of its files, and where a user gets them.
    pub sources: Vec<Source>,
    /// In the order of the names.
    pub files: Vec<RawFile>,
    /// Label of what takes their place if there are none.
    pub stand_in: Option<String>,
}

/// Pattern of raw files.
#[derive(Deserialize)]
pub(super) struct Source {
    /// Relative to the project.
    pub pattern: String,
    /// Hint where to get the files; empty if there is none.
    pub obtain: String,
}

/// A raw file.
#[derive(Deserialize)]
pub(super) struct RawFile {
    /// Relative to the folder that the pattern begins with.
    pub name: String,
    /// Absolute path.
    pub path: PathBuf,
}

/// Answer of `callsheet datasets --json`.
#[derive(Deserialize)]
struct Answer {
    datasets: Vec<Declared>,
}

/// A dataset and what is expected of its files.
pub(super) struct Raw {
    /// As its file says.
    pub declared: Declared,
    /// Expectations about the files.
    pub metadata: Metadata,
}

/// Asks the engine for a dataset; its errors appear as it prints them. None if it has refused.
///
/// # Errors
/// When the engine cannot be started, or `[metadata]` is malformed.
pub(super) fn raw(name: &str) -> Result<Option<Raw>> {
    let Some(answer) = ask(&["datasets", name, "--json"])? else { return Ok(None) };
    let answer: Answer = serde_json::from_slice(&answer).context("malformed answer of callsheet")?;
    let declared = answer.datasets.into_iter().next().context("no answer of callsheet")?;
    let metadata = serde_json::from_value(declared.metadata.clone()).map_err(|error| {
        user_error(
            Code::Declaration,
            format!("[metadata] of the dataset `{name}`: {error}"),
            "known: size = [width, height], files = { train = .. }, frames, url, sha256",
        )
    })?;
    Ok(Some(Raw { declared, metadata }))
}
