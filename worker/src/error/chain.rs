//! Errors of stages and commands, which are chains of causes: their codes and remedies.

use std::io;

use miette::Diagnostic as _;
use parquet::errors::ParquetError;

use super::{Error, io_remedy};
use crate::code::Code;
use crate::print::plain;

/// Returns an error that the user can act on. `help` is the remedy; both appear in the terminal and in reports.
pub fn refusal(message: impl Into<String>, help: impl Into<String>) -> anyhow::Error {
    user_error(Code::Unsupported, message, help)
}

/// Returns an error that the user can act on, with the code under which a command shows it.
pub fn user_error(code: Code, message: impl Into<String>, help: impl Into<String>) -> anyhow::Error {
    Error::refused(code, message, help).into()
}

/// Remedy of an error, if one is known.
pub fn help_of(error: &anyhow::Error) -> Option<String> {
    let library = error.downcast_ref::<Error>().and_then(|library| library.help());
    library.map(|help| help.to_string()).or_else(|| {
        let system = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>())?;
        io_remedy(system).map(str::to_owned)
    })
}

/// Messages of the whole chain, outermost first. A library error already quotes its cause.
pub(crate) fn message_of(error: &anyhow::Error) -> String {
    let mut messages = Vec::new();
    for cause in error.chain() {
        messages.push(cause.to_string());
        if cause.is::<Error>() {
            break;
        }
    }
    messages.join(": ")
}

/// One error with the messages of the whole chain, its code and its remedy, without characters that control a terminal.
///
/// The code is that of the first cause that has one; a chain without one is about a file that cannot be understood.
pub fn with_code(error: &anyhow::Error) -> Error {
    let code = error.downcast_ref::<Error>().map(Error::kind).or_else(|| {
        error.chain().find_map(|cause| match cause {
            cause if cause.is::<io::Error>() => Some(Code::Io),
            cause if cause.is::<ParquetError>() => Some(Code::Parquet),
            _ => None,
        })
    });
    let help = help_of(error).unwrap_or_default();
    let [message, help] =
        [message_of(error), help].map(|text| text.lines().map(plain).collect::<Vec<_>>().join("\n"));
    Error::refused(code.unwrap_or(Code::Unreadable), message, help)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_code_is_that_of_the_first_cause_that_has_one_and_contexts_hide_none() {
        let code = |error: &anyhow::Error| with_code(error).kind();
        let system = Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)).context("cannot read a");
        assert_eq!(code(&system.expect_err("it is one")), Code::Io);
        let named = Err::<(), _>(user_error(Code::UnknownName, "unknown b", "")).context("in c");
        assert_eq!(code(&named.expect_err("it is one")), Code::UnknownName);
        assert_eq!(code(&anyhow::anyhow!("malformed")), Code::Unreadable);
    }
}
