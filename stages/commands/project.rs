//! Access to the engine and the project that a command was started from.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use callsheet_worker::code::Code;
use callsheet_worker::protocol::{DATA_VARIABLE, ENGINE_VARIABLE};
use callsheet_worker::user_error_with_code;

/// Path of the engine's program, from the environment variable that the engine sets when it starts a command.
#[expect(clippy::disallowed_methods, reason = "a command has no request")]
fn engine() -> Result<PathBuf> {
    let engine = std::env::var_os(ENGINE_VARIABLE).map(PathBuf::from);
    engine.ok_or_else(|| {
        user_error_with_code(
            Code::MissingArgument,
            "this command was started without `callsheet`",
            "run it as `callsheet NAME`",
        )
    })
}

/// Runs the engine with these arguments. Returns its stdout, or none if it failed; it has then printed the
/// reason.
///
/// # Errors
/// Returns an error if the engine is not known or cannot be started.
pub(super) fn ask(arguments: &[&str]) -> Result<Option<Vec<u8>>> {
    let mut command = Command::new(engine()?);
    let output =
        command.args(arguments).stderr(Stdio::inherit()).output().context("cannot start callsheet")?;
    Ok(output.status.success().then_some(output.stdout))
}

/// Folder of the project's data.
///
/// # Errors
/// Returns an error if the command was not started in a project.
#[expect(clippy::disallowed_methods, reason = "a command has no request")]
pub(super) fn data_folder() -> Result<PathBuf> {
    let data = std::env::var_os(DATA_VARIABLE).map(PathBuf::from);
    data.ok_or_else(|| {
        user_error_with_code(
            Code::NoProject,
            "this folder is not in a project",
            "name the file, or run the command in a project folder",
        )
    })
}
