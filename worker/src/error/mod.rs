//! Errors of the library. Each names the operation, the file and, where possible, the remedy.

mod chain;
mod declaration_error;
mod names;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, JSONReportHandler, LabeledSpan, MietteHandlerOpts, ReportHandler, SourceCode};
use parquet::errors::ParquetError;

pub(crate) use chain::message_of;
pub use chain::{help_of, user_error, user_error_with_code, with_code};
pub use declaration_error::{DeclarationError, SourceText};
pub use names::{list, nearest, suggest};

use crate::code::Code;
use names::clipped;

/// Error that stops a command. Failures of the stages that a command runs are not included.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An invalid declaration, shown with the line that contains it.
    #[error(transparent)]
    DeclarationError(#[from] Box<DeclarationError>),
    /// The operating system refused an operation on a file.
    #[error("{doing} {}: {}", shown(path), reason(cause))]
    Io {
        /// The operation, e.g. `cannot read`, for the message.
        doing: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// The cause. The message contains it, so it is not the `source`, which would be printed again.
        cause: io::Error,
    },
    /// A Parquet file that cannot be read or written.
    #[error("{doing} {}: {cause}", shown(path))]
    Parquet {
        /// The operation, e.g. `cannot read`, for the message.
        doing: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// The cause, which the message contains.
        cause: ParquetError,
    },
    /// A request that the program rejects, with its remedy.
    #[error("{message}")]
    UserError {
        /// Kind of the error.
        code: Code,
        /// The problem, with the value quoted.
        message: String,
        /// The remedy.
        help: String,
    },
}

/// Result with the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Creates an [`Error::UserError`]. Long lines of the message are cut.
    pub fn user_error(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::UserError { code, message: clipped(&message.into()), help: help.into() }
    }

    /// Adds a sentence to the remedy.
    #[must_use]
    pub fn with_note(self, note: &str) -> Self {
        let help = Diagnostic::help(&self).map(|help| help.to_string()).unwrap_or_default();
        let help = if help.is_empty() { note.to_owned() } else { format!("{help}; {note}") };
        Self::UserError { code: self.kind(), message: self.to_string(), help }
    }

    /// Kind of the error.
    pub fn kind(&self) -> Code {
        match self {
            Self::DeclarationError(_) => Code::Declaration,
            Self::Io { .. } => Code::Io,
            Self::Parquet { .. } => Code::Parquet,
            Self::UserError { code, .. } => *code,
        }
    }
}

impl Diagnostic for Error {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.kind()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self {
            Self::DeclarationError(fault) => fault.help(),
            Self::UserError { help, .. } if !help.is_empty() => Some(Box::new(help)),
            Self::Io { doing: ENTER, .. } => Some(Box::new("name a folder of a project")),
            Self::Io { cause, .. } => io_remedy(cause).map(|h| Box::new(h) as Box<_>),
            Self::Parquet { .. } => Some(Box::new(
                "correct the stage that wrote this file, or replace the file with a complete Parquet file",
            )),
            _ => None,
        }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            Self::DeclarationError(fault) => fault.source_code(),
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self {
            Self::DeclarationError(fault) => fault.labels(),
            _ => None,
        }
    }
}

/// Operation of a program that starts in another folder, as `-C` requests.
pub const ENTER: &str = "cannot enter";

/// Environment variable that requests errors as JSON: its value is `json`. Each error is then one line on stderr, an
/// object with `code`, `message`, `help` and, for a declaration, `filename`.
pub const ERRORS_VARIABLE: &str = "CALLSHEET_ERRORS";

/// Sets the format of printed errors. Lines are never wrapped, because people copy paths and search logs line by line.
pub fn set_error_format() {
    let as_json = std::env::var_os(ERRORS_VARIABLE).is_some_and(|format| format == "json");
    let handler = move |_: &_| match as_json {
        true => Box::new(JSONReportHandler::new()) as Box<dyn ReportHandler>,
        false => Box::new(MietteHandlerOpts::new().wrap_lines(false).build()),
    };
    // A second call in one process fails, and has no effect.
    let _ = miette::set_hook(Box::new(handler));
}

/// Remedy for an error of the operating system, if one is known.
pub fn io_remedy(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("free disk space and run again; `callsheet gc` lists unused results that can be removed")
        }
        io::ErrorKind::FileTooLarge => {
            Some("raise the limit on file sizes (`ulimit -f`), or use a file system that allows larger files")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            Some("give yourself access to this path, or set `data` in callsheet.toml to a writable folder")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Some("move the file that has this path, or set `data` in callsheet.toml to another folder")
        }
        io::ErrorKind::NotFound => {
            Some("check the path: the file, its folder or the target of a link does not exist")
        }
        io::ErrorKind::InvalidData if is_not_utf8(error) => Some("save the file as UTF-8"),
        _ => None,
    }
}

/// Adds the operation and the file to the error of an I/O result.
pub trait IoContext<T> {
    /// Adds them, as in `fs::read(path).io_context("cannot read", path)`.
    fn io_context(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn io_context(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|cause| Error::Io { doing, path: path.as_ref().to_owned(), cause })
    }
}

impl<T> IoContext<T> for parquet::errors::Result<T> {
    fn io_context(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T> {
        let path = path.as_ref().to_owned();
        self.map_err(|cause| match cause {
            // An I/O error, such as a full disk, does not mean that the file is malformed.
            ParquetError::External(inner) if inner.is::<io::Error>() => match inner.downcast() {
                Ok(cause) => Error::Io { doing, path, cause: *cause },
                Err(inner) => Error::Parquet { doing, path, cause: ParquetError::External(inner) },
            },
            cause => Error::Parquet { doing, path, cause },
        })
    }
}

fn shown(path: &Path) -> String {
    clipped(&path.display().to_string())
}

/// Reason of an error of the operating system, for the message.
fn reason(cause: &io::Error) -> String {
    if is_not_utf8(cause) { "the file is not valid UTF-8".to_owned() } else { cause.to_string() }
}

/// Returns true for the error of the standard library about a text file that is not UTF-8.
fn is_not_utf8(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData && error.to_string().ends_with("valid UTF-8")
}
