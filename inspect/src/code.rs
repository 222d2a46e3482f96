//! Error codes, as listed in docs/errors.md, and the codes of errors of libraries.

use std::fmt;
use std::io;

use miette::{Diagnostic, LabeledSpan, Report, SourceCode};

/// Two options contradict each other.
pub(crate) const CONFLICT: &str = "callsheet::conflict";
/// callsheet itself failed.
pub(crate) const INTERNAL: &str = "callsheet::internal";
/// A query has an invalid form.
pub(crate) const INVALID_VALUE: &str = "callsheet::invalid_value";
/// A command lacks a name that it needs.
pub(crate) const MISSING_ARGUMENT: &str = "callsheet::missing_argument";
/// A result is not computed yet.
pub(crate) const NOT_COMPUTED: &str = "callsheet::not_computed";
/// A Parquet file cannot be read.
pub(crate) const PARQUET: &str = "callsheet::parquet";
/// A name does not exist.
pub(crate) const UNKNOWN_NAME: &str = "callsheet::unknown_name";
/// A file is damaged, or a column does not have the type that the query expects.
pub(crate) const UNREADABLE: &str = "callsheet::unreadable";
/// An input is valid, but the command does not support its kind.
pub(crate) const UNSUPPORTED: &str = "callsheet::unsupported";
/// The operating system refused to read or write.
pub(crate) const IO: &str = "callsheet::io";

/// Error of a library, which has no code of its own.
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

/// Returns the error with a code: its own, or one that depends on its causes.
pub(crate) fn coded(error: Report) -> Report {
    if error.code().is_some() { error } else { Coded(error).into() }
}
