//! The project that a command is started in, as the engine says.

use std::path::PathBuf;

use anyhow::Result;
use callsheet_worker::protocol::{DATA_VARIABLE, ENGINE_VARIABLE};
use callsheet_worker::refusal;

/// The engine's program, which the engine names when it hands on a command.
#[expect(clippy::disallowed_methods, reason = "a command has no request")]
pub fn engine() -> Result<PathBuf> {
    let engine = std::env::var_os(ENGINE_VARIABLE).map(PathBuf::from);
    engine
        .ok_or_else(|| refusal("this command was started without `callsheet`", "run it as `callsheet NAME`"))
}

/// Folder of the weight files of the project, if there is a project.
///
/// # Errors
/// When there is none.
#[expect(clippy::disallowed_methods, reason = "a command has no request")]
pub fn weights_folder() -> Result<PathBuf> {
    let data = std::env::var_os(DATA_VARIABLE).map(PathBuf::from);
    let data = data.ok_or_else(|| {
        refusal("this folder is in no project", "name the file, or run this inside of a project")
    })?;
    Ok(data.join("weights"))
}
