//! Codes of errors, as docs/errors.md lists them, and the code of an error of the libraries.

use std::fmt;
use std::io;

use miette::{Diagnostic, LabeledSpan, Report, SourceCode};

/// Two options contradict each other.
pub(crate) const CONFLICT: &str = "callsheet::conflict";
/// callsheet itself failed.
pub(crate) const INTERNAL: &str = "callsheet::internal";
/// A query has a form that is not allowed.
pub(crate) const INVALID_VALUE: &str = "callsheet::invalid_value";
/// A command lacks a name that it needs.
pub(crate) const MISSING_ARGUMENT: &str = "callsheet::missing_argument";
/// A result is not in the store yet.
pub(crate) const NOT_COMPUTED: &str = "callsheet::not_computed";
/// A Parquet file cannot be read.
pub(crate) const PARQUET: &str = "callsheet::parquet";
/// A name is not among those that exist.
pub(crate) const UNKNOWN_NAME: &str = "callsheet::unknown_name";
/// A file is damaged, or a column does not hold what the query takes it for.
pub(crate) const UNREADABLE: &str = "callsheet::unreadable";
/// An input is valid, and the command does not work on its kind.
pub(crate) const UNSUPPORTED: &str = "callsheet::unsupported";
/// The operating system refused something.
pub(crate) const IO: &str = "callsheet::io";

/// An error of a library, with the code that it lacks.
#[derive(Debug)]
struct Coded(Report);

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Coded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Diagnostic for Coded {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let system = self.0.chain().any(|cause| cause.is::<io::Error>());
        Some(Box::new(if system { IO } else { UNREADABLE }))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.labels()
    }
}

/// The error with a code: its own, or that of its cause.
pub(crate) fn coded(error: Report) -> Report {
    if error.code().is_some() { error } else { Coded(error).into() }
}
