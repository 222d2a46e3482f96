//! Other programs, started as if they were this one: `callsheet inspect`, and the commands of a project.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Doing, Error, Result, suggest};
use clap::Args;

use crate::declare::{CommandDecl, Project, command};

/// Looks into tables. It links a query engine, which takes minutes to build: nothing that runs pipelines
/// waits for it.
pub(super) const INSPECT: &str = "callsheet-inspect";

/// Arguments that are passed on as they are.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(super) struct External {
    /// `--help` shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

impl External {
    /// Becomes the subcommand `name` of `callsheet-inspect`.
    ///
    /// # Errors
    /// When it is not built, or cannot be started.
    pub(super) fn inspect(&self, name: &str) -> Result<u8> {
        start(inspect()?, OsStr::new(name), &self.arguments)
    }
}

/// `callsheet-inspect`, ready for its arguments.
///
/// # Errors
/// When it is not built.
pub(super) fn inspect() -> Result<Command> {
    // A single table can be inspected outside of any project.
    let project = Project::find_any()?;
    command(project.as_ref(), INSPECT).map_err(|error| match error.kind() {
        Code::MissingProgram | Code::NoProject => {
            let help = "run `make inspect`: it takes some minutes, once";
            Error::refused(Code::MissingProgram, format!("`{INSPECT}` is not built"), help)
        }
        _ => error,
    })
}

/// Becomes the program of a command that `callsheet.toml` declares; its name is the first of `words`. Errors list the
/// commands of this program, which are `own`, too.
///
/// # Errors
/// When there is no such command, or its program cannot be started.
pub(super) fn execute(words: &[OsString], own: &clap::Command) -> Result<u8> {
    let project = Project::find_any()?;
    let commands = project.as_ref().map(|project| project.commands.clone()).unwrap_or_default();
    let (name, arguments) = words.split_first().expect("clap hands on at least the name");
    let Some(declared) = name.to_str().and_then(|name| commands.get(name)) else {
        let own =
            own.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| command.get_name());
        let name = name.to_string_lossy();
        let help = suggest(&name, own.chain(commands.keys().map(String::as_str)));
        return Err(Error::refused(Code::UnknownName, format!("no command `{name}`"), help));
    };
    start(command(project.as_ref(), &declared.program)?, name, arguments)
}

fn start(mut command: Command, name: &OsStr, arguments: &[OsString]) -> Result<u8> {
    let error = command.arg(name).args(arguments).exec();
    Err(error).doing("cannot start", command.get_program())
}

/// Returns true if the project declares a command of this name.
pub(super) fn declares(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| commands().contains_key(name))
}

/// Commands of the project; empty outside of a project, or if its settings cannot be read.
fn commands() -> BTreeMap<String, CommandDecl> {
    Project::find().map(|project| project.commands).unwrap_or_default()
}

/// Help that lists the commands of the project, if there are any, before `rest`.
pub(super) fn help(rest: &str) -> String {
    let commands = commands();
    let width = commands.keys().map(String::len).max().unwrap_or_default();
    let line = |(name, command): (&String, &CommandDecl)| format!("  {name:width$}  {}\n", command.summary);
    match commands.iter().map(line).collect::<String>() {
        lines if lines.is_empty() => rest.to_owned(),
        lines => format!("Commands of this project:\n{lines}\n{rest}"),
    }
}

/// The commands of this program and of the project.
pub(super) fn with_commands(own: clap::Command) -> clap::Command {
    let commands = commands();
    // clap keeps names for as long as the program runs.
    let command =
        |(name, command): (String, CommandDecl)| clap::Command::new(&*name.leak()).about(command.summary);
    own.subcommands(commands.into_iter().map(command))
}
