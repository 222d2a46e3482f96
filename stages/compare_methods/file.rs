//! Files that people write beside measured tables.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::refusal;
use serde::de::DeserializeOwned;

/// A TOML file, as the documentation of `stage` says.
///
/// # Errors
/// When it is no such file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, stage: &str) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).map_err(|error| {
        refusal(
            format!("{}: {error}", path.display()),
            format!("`callsheet stages {stage}` shows how it is written"),
        )
    })
}
