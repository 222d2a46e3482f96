//! `callsheet inspect` and `callsheet sheet`: another program, started as if it were this one.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::declare::Project;
use crate::error::{Doing, Error, Result};

/// The program that looks into tables. It links a query engine, which takes minutes to build: nothing
/// that runs pipelines waits for it.
const INSPECT: &str = "callsheet-inspect";

/// Where the other program finds this one, to ask it for artifacts.
const ENGINE_VARIABLE: &str = "CALLSHEET";

/// What is handed on as it is.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct External {
    /// `--help` shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

impl External {
    /// Becomes the other program's subcommand `name`.
    ///
    /// # Errors
    /// When it is not built, or cannot be started.
    pub fn execute(&self, name: &str) -> Result<u8> {
        let mut command = inspect()?;
        let error = command.arg(name).args(&self.arguments).exec();
        Err(error).doing("cannot start", command.get_program())
    }
}

/// The program, ready for its arguments.
///
/// # Errors
/// When it is not built.
pub fn inspect() -> Result<Command> {
    let engine = env::current_exe().doing("cannot find", "callsheet")?;
    let beside = engine.with_file_name(INSPECT);
    // A single table can be looked at outside of any project.
    let program: Option<PathBuf> = match Project::find() {
        Ok(project) => project.program(INSPECT).ok(),
        Err(_) => None,
    };
    let program = program.or_else(|| beside.is_file().then_some(beside)).ok_or_else(|| {
        Error::refused(format!("`{INSPECT}` is not built"), "run `make inspect`: it takes some minutes, once")
    })?;
    let mut command = Command::new(program);
    command.env(ENGINE_VARIABLE, engine);
    Ok(command)
}
