//! Author and reason of a verdict.

use std::env;
use std::process::Command;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

/// Returns the name of the curator: `said`, or git's user.name, or $USER.
///
/// # Errors
/// Returns an error if none of them is known.
pub fn author(said: Option<&str>) -> Result<String> {
    let git = || {
        let output = Command::new("git").args(["config", "user.name"]).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|name| !name.is_empty())
    };
    let user = || env::var("USER").ok().filter(|name| !name.is_empty());
    said.map(str::to_owned).or_else(git).or_else(user).ok_or_else(|| {
        Error::user_error(
            Code::MissingArgument,
            "the author of the verdict is unknown",
            "name the author with --author, or set `git config user.name`",
        )
    })
}

/// Checks a part of a verdict. `what` is its name: `reason` or `author`.
///
/// # Errors
/// Returns an error if the text is empty or longer than one line.
pub fn check_text(what: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(Error::user_error(
            Code::InvalidValue,
            format!("the {what} {text:?} is empty or longer than one line"),
            format!("write the {what} in one line"),
        ));
    }
    Ok(())
}
