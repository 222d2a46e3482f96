//! Files that users write in addition to measured tables.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::user_error;
use serde::de::DeserializeOwned;

/// Reads a TOML file in the format that the documentation of `stage` describes.
///
/// # Errors
/// Returns an error if the file cannot be read, or has another format.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, stage: &str) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    toml::from_str(&text).map_err(|error| {
        user_error(
            format!("`{}`: {error}", path.display()),
            format!("correct the file; `callsheet stages {stage}` shows the format"),
        )
    })
}
