//! The project that a command is started in, as the engine says.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use callsheet_worker::code::Code;
use callsheet_worker::protocol::{DATA_VARIABLE, ENGINE_VARIABLE};
use callsheet_worker::user_error;

/// Path of the engine's program, which the engine sets when it starts a command.
#[expect(clippy::disallowed_methods, reason = "a command has no request")]
fn engine() -> Result<PathBuf> {
    let engine = std::env::var_os(ENGINE_VARIABLE).map(PathBuf::from);
    engine.ok_or_else(|| {
        user_error(
            Code::MissingArgument,
            "this command was started without `callsheet`",
            "run it as `callsheet NAME`",
        )
    })
}

/// Runs the engine with these arguments; returns its stdout, or none if it has refused and printed why.
///
/// # Errors
/// If the engine is not known or cannot be started.
pub(super) fn ask(arguments: &[&str]) -> Result<Option<Vec<u8>>> {
    let mut command = Command::new(engine()?);
    let output =
        command.args(arguments).stderr(Stdio::inherit()).output().context("cannot start callsheet")?;
    Ok(output.status.success().then_some(output.stdout))
}

/// Folder of the weight files of the project, if there is a project.
///
/// # Errors
/// When there is none.
#[expect(clippy::disallowed_methods, reason = "a command has no request")]
pub(super) fn weights_folder() -> Result<PathBuf> {
    let data = std::env::var_os(DATA_VARIABLE).map(PathBuf::from);
    let data = data.ok_or_else(|| {
        user_error(
            Code::NoProject,
            "this folder is in no project",
            "name the file, or run this inside of a project",
        )
    })?;
    Ok(data.join("weights"))
}
