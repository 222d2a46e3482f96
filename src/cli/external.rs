//! `callsheet NAME ..` for commands that live in other programs, as cargo starts its own.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::declare::Project;
use crate::error::{Error, Result, suggest};

/// Commands and the program that has them.
const ELSEWHERE: [(&str, &str); 1] = [("weights", "callsheet-stages")];

/// Replaces this process by the program that has the command.
///
/// # Errors
/// When no program has a command of that name, or it is not built.
pub fn execute(words: &[OsString]) -> Result<u8> {
    let name = words[0].to_string_lossy();
    let Some((_, program)) = ELSEWHERE.iter().find(|(command, _)| *command == name) else {
        let own = ["run", "plan", "config", "ls", "show", "graph"];
        let known = own.into_iter().chain(ELSEWHERE.iter().map(|(command, _)| *command));
        return Err(Error::refused(format!("no command `{name}`"), suggest(&name, known)));
    };
    let project = Project::find()?;
    let path = project.programs.get(*program).cloned().unwrap_or_else(|| (*program).into());
    let error = Command::new(&path).args(words).exec();
    Err(Error::refused(format!("cannot start {}: {error}", path.display()), "run `make build`"))
}
