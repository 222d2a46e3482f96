//! Codes and remedies of errors that are chains of causes, as stages and commands return them.

use std::io;

use miette::Diagnostic as _;
use parquet::errors::ParquetError;

use super::{Error, io_remedy};
use crate::code::Code;
use crate::print::plain;

/// Returns an error that the user can act on, with the code [`Code::Unsupported`]. `help` is the remedy. The
/// terminal and reports show both.
pub fn user_error(message: impl Into<String>, help: impl Into<String>) -> anyhow::Error {
    user_error_with_code(Code::Unsupported, message, help)
}

/// Returns an error that the user can act on, with the code that a command prints for it.
pub fn user_error_with_code(
    code: Code,
    message: impl Into<String>,
    help: impl Into<String>,
) -> anyhow::Error {
    Error::user_error(code, message, help).into()
}

/// Remedy of an error, if one is known.
pub fn help_of(error: &anyhow::Error) -> Option<String> {
    let library = error.downcast_ref::<Error>().and_then(|library| library.help());
    library.map(|help| help.to_string()).or_else(|| {
        let system = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>())?;
        io_remedy(system).map(str::to_owned)
    })
}

/// Messages of the complete chain, outermost first. The message of a library error already contains its
/// cause.
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

/// Converts a chain of causes into one error: the messages of the complete chain, its code and its remedy,
/// without control characters.
///
/// The code is that of the first cause that has one. A chain without a code gets [`Code::Unreadable`].
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
    Error::user_error(code.unwrap_or(Code::Unreadable), message, help)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_code_of_an_error_is_that_of_its_first_coded_cause() {
        let code = |error: &anyhow::Error| with_code(error).kind();
        let system = Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)).context("cannot read a");
        assert_eq!(code(&system.expect_err("it is one")), Code::Io);
        let named = Err::<(), _>(user_error_with_code(Code::UnknownName, "unknown b", "")).context("in c");
        assert_eq!(code(&named.expect_err("it is one")), Code::UnknownName);
        assert_eq!(code(&anyhow::anyhow!("malformed")), Code::Unreadable);
    }
}
