//! Subcommands that other programs implement: `inspect`, `sheet`, `serve` and the commands of a project.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result, suggest};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::candidates;
use super::fresh::is_python_package;
use crate::declare::{CommandDecl, Project, command};

/// Program that inspects tables. It links a query engine that takes minutes to build, so it is a separate
/// program and pipelines run without it.
pub(super) const INSPECT: &str = "callsheet-inspect";

/// Program of the web UI. It links a server, which no pipeline needs.
const SERVE: &str = "callsheet-serve";

/// Arguments that are passed on unchanged.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(super) struct External {
    /// Arguments of the program; `--help` lists them
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS",
        add = ArgValueCompleter::new(candidates::artifacts)
    )]
    arguments: Vec<OsString>,
}

impl External {
    /// Replaces this process by the subcommand `name` of `callsheet-inspect`.
    ///
    /// # Errors
    /// Returns an error if the program is not built or cannot be started.
    pub(super) fn inspect(&self, name: &str) -> Result<u8> {
        start(inspect()?, OsStr::new(name), &self.arguments)
    }

    /// Replaces this process by `callsheet-serve`.
    ///
    /// # Errors
    /// Returns an error if the program is not built or cannot be started.
    pub(super) fn serve(&self) -> Result<u8> {
        // The demonstration starts outside of any project.
        let project = Project::find_any()?;
        let program = command(project.as_ref(), SERVE)
            .map_err(|error| not_installed(error, SERVE, "run `make serve` in a checkout of callsheet"))?;
        start(program, OsStr::new("serve"), &self.arguments)
    }
}

/// Returns the command `callsheet-inspect` without arguments.
///
/// # Errors
/// Returns an error if the program is not built.
pub(super) fn inspect() -> Result<Command> {
    // A single table can be inspected outside of any project.
    let project = Project::find_any()?;
    let help = if is_python_package() {
        "install the package callsheet-inspect; `make wheel-inspect` in a checkout of callsheet builds it"
    } else {
        "run `make inspect`; the first build takes some minutes"
    };
    command(project.as_ref(), INSPECT).map_err(|error| not_installed(error, INSPECT, help))
}

/// Returns the error of a program that is not built; any other `error` stays.
fn not_installed(error: Error, program: &str, help: &str) -> Error {
    match error.kind() {
        Code::MissingProgram | Code::NoProject => {
            Error::user_error(Code::MissingProgram, format!("`{program}` is not installed"), help)
        }
        _ => error,
    }
}

/// Replaces this process by the program of a command that `callsheet.toml` declares; the first of `words` is
/// the name of the command. For an unknown name, the error also suggests the built-in commands, `own`.
///
/// # Errors
/// Returns an error if the command is unknown or its program cannot be started.
pub(super) fn execute(words: &[OsString], own: &clap::Command) -> Result<u8> {
    let project = Project::find_any()?;
    let commands = project.as_ref().map(|project| project.commands.clone()).unwrap_or_default();
    let (name, arguments) = words.split_first().expect("clap passes at least the name");
    let Some(declared) = name.to_str().and_then(|name| commands.get(name)) else {
        let own =
            own.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| command.get_name());
        let name = name.to_string_lossy();
        let help = suggest(&name, own.chain(commands.keys().map(String::as_str)));
        return Err(Error::user_error(Code::UnknownName, format!("unknown command `{name}`"), help));
    };
    start(command(project.as_ref(), &declared.program)?, name, arguments)
}

fn start(mut command: Command, name: &OsStr, arguments: &[OsString]) -> Result<u8> {
    let error = command.arg(name).args(arguments).exec();
    Err(error).io_context("cannot start", command.get_program())
}

/// Returns true if the project declares a command with this name.
pub(super) fn declares(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| commands().contains_key(name))
}

/// Commands of the project; empty outside of a project, or if its settings cannot be read.
fn commands() -> BTreeMap<String, CommandDecl> {
    Project::find().map(|project| project.commands).unwrap_or_default()
}

/// Returns help that lists the commands of the project, if there are any, before `rest`.
pub(super) fn help(rest: &str) -> String {
    let commands = commands();
    let width = commands.keys().map(String::len).max().unwrap_or_default();
    let line = |(name, command): (&String, &CommandDecl)| format!("  {name:width$}  {}\n", command.summary);
    match commands.iter().map(line).collect::<String>() {
        lines if lines.is_empty() => rest.to_owned(),
        lines => format!("Commands of this project:\n{lines}\n{rest}"),
    }
}

/// Adds the commands of the project to the built-in ones.
pub(super) fn with_commands(own: clap::Command) -> clap::Command {
    let commands = commands();
    // clap needs names that live as long as the program, so they are leaked.
    let command =
        |(name, command): (String, CommandDecl)| clap::Command::new(&*name.leak()).about(command.summary);
    own.subcommands(commands.into_iter().map(command))
}
