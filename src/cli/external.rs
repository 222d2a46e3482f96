//! `callsheet inspect`, `sheet`, `dataset`: other programs, started as if they were this one.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;

use crate::code::Code;
use crate::declare::Project;
use crate::error::{Doing, Error, Result};

/// A program that serves subcommands.
pub struct Program {
    name: &'static str,
    /// What to do if it is not built.
    build: &'static str,
}

/// Looks into tables. It links a query engine, which takes minutes to build: nothing that runs pipelines
/// waits for it.
pub const INSPECT: Program =
    Program { name: "callsheet-inspect", build: "run `make inspect`: it takes some minutes, once" };

/// Knows images and tensors.
pub const STAGES: Program = Program { name: "callsheet-stages", build: "run `make build`" };

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
    pub fn execute(&self, program: &Program, name: &str) -> Result<u8> {
        let mut command = program.command()?;
        let error = command.arg(name).args(&self.arguments).exec();
        Err(error).doing("cannot start", command.get_program())
    }
}

impl Program {
    /// The program, ready for its arguments; it finds what workers find.
    ///
    /// # Errors
    /// When it is not built.
    pub fn command(&self) -> Result<Command> {
        let engine = env::current_exe().doing("cannot find", "callsheet")?;
        let beside = engine.with_file_name(self.name);
        // A single table can be looked at outside of any project.
        let project = Project::find().ok();
        let program = project.as_ref().and_then(|project| project.program(self.name).ok());
        let program = program.or_else(|| beside.is_file().then_some(beside));
        let program = program.ok_or_else(|| {
            Error::refused(Code::MissingProgram, format!("`{}` is not built", self.name), self.build)
        })?;
        let mut command = Command::new(program);
        command.env(ENGINE_VARIABLE, engine);
        if let Some(project) = project {
            command.env("PATH", project.search_path());
        }
        Ok(command)
    }
}
