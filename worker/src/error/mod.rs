//! Errors of the library: each says what was being done, to which file, and what would be right.

mod chain;
mod fault;
mod names;

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use miette::{Diagnostic, LabeledSpan, MietteHandlerOpts, SourceCode};
use parquet::errors::ParquetError;

pub(crate) use chain::message_of;
pub use chain::{help_of, refusal, user_error, with_code};
pub use fault::{Fault, SourceText};
pub use names::{list, nearest, suggest};

use crate::code::Code;
use names::clipped;

/// Anything that stops a command, apart from failures of the stages that it runs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A declaration that is wrong, shown with the line it stands on.
    #[error(transparent)]
    Fault(#[from] Box<Fault>),
    /// The file system refused something.
    #[error("{doing} {}: {source}", shown(path))]
    Io {
        /// The operation, e.g. `cannot read`.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A Parquet file that cannot be read or written.
    #[error("{doing} {}: {source}", shown(path))]
    Parquet {
        /// The operation.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The cause.
        source: parquet::errors::ParquetError,
    },
    /// A request that cannot be met, with what to do instead.
    #[error("{message}")]
    Refused {
        /// Kind of the error.
        code: Code,
        /// The problem, with the value quoted.
        message: String,
        /// The remedy.
        help: String,
    },
}

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A refusal with its remedy.
    pub fn refused(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Refused { code, message: clipped(&message.into()), help: help.into() }
    }

    /// Kind of the error.
    pub fn kind(&self) -> Code {
        match self {
            Self::Fault(_) => Code::Declaration,
            Self::Io { .. } => Code::Io,
            Self::Parquet { .. } => Code::Parquet,
            Self::Refused { code, .. } => *code,
        }
    }
}

impl Diagnostic for Error {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.kind()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self {
            Self::Fault(fault) => fault.help(),
            Self::Refused { help, .. } if !help.is_empty() => Some(Box::new(help)),
            Self::Io { source, .. } => io_remedy(source).map(|h| Box::new(h) as Box<_>),
            Self::Parquet { .. } => Some(Box::new("is it a Parquet file, and was it written to its end?")),
            _ => None,
        }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            Self::Fault(fault) => fault.source_code(),
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self {
            Self::Fault(fault) => fault.labels(),
            _ => None,
        }
    }
}

/// Wraps the lines of errors only in a terminal: people search logs line by line.
pub fn set_error_format() {
    let wrap = io::stderr().is_terminal();
    let handler = move |_: &_| Box::new(MietteHandlerOpts::new().wrap_lines(wrap).build()) as Box<_>;
    // A second call in one process changes nothing.
    let _ = miette::set_hook(Box::new(handler));
}

/// Remedy for an error of the operating system, if one is known.
pub fn io_remedy(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("free some disk space (deleting data/store is always safe) and run again")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            Some("make the folder writable, or name another one under `data` in callsheet.toml")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Some(
            "something else is in the way: move it, or name another folder under `data` in callsheet.toml",
        ),
        _ => None,
    }
}

/// Attaches to an I/O result what was being done and to which file.
pub trait Doing<T> {
    /// `fs::read(path).doing("cannot read", path)`.
    fn doing(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|source| Error::Io { doing, path: path.as_ref().to_owned(), source })
    }
}

impl<T> Doing<T> for parquet::errors::Result<T> {
    fn doing(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T> {
        let path = path.as_ref().to_owned();
        self.map_err(|source| match source {
            // A full disk is not the fault of the file.
            ParquetError::External(inner) if inner.is::<io::Error>() => match inner.downcast() {
                Ok(source) => Error::Io { doing, path, source: *source },
                Err(inner) => Error::Parquet { doing, path, source: ParquetError::External(inner) },
            },
            source => Error::Parquet { doing, path, source },
        })
    }
}

fn shown(path: &Path) -> String {
    clipped(&path.display().to_string())
}
