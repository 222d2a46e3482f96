//! Where a declared value stands, so that every error can show the line.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::error::{Doing, Error, Fault, Result, SourceText};

/// The place a value came from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A span of a file.
    File(Arc<SourceText>, Range<usize>),
    /// A `--set` on the command line, as typed.
    CommandLine(String),
}

impl Origin {
    /// An error about this value.
    pub fn fault(&self, message: String, label: &str, help: String) -> Error {
        match self {
            Self::File(source, span) => {
                Fault::new(source, span.clone(), message, label).with_help(help).into()
            }
            Self::CommandLine(_) => Error::refused(format!("{self}: {message}"), help),
        }
    }
}

/// `pipelines/synthesis.toml:12`, or the option as typed.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(source, span) => {
                write!(f, "{}:{}", source.path.display(), source.line(span.start))
            }
            Self::CommandLine(option) => write!(f, "--set {option}"),
        }
    }
}

/// Reads a TOML file below `root`; a syntax or shape error shows the line it stands on.
///
/// # Errors
/// When the file cannot be read, is not UTF-8, or does not have the shape of `T`.
pub fn read_toml<T: DeserializeOwned>(root: &Path, path: &Path) -> Result<(T, Arc<SourceText>)> {
    let text = fs::read_to_string(root.join(path)).doing("cannot read", path)?;
    let source = Arc::new(SourceText { path: path.to_owned(), text });
    match toml::from_str(&source.text) {
        Ok(value) => Ok((value, source)),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let place = format!("{}:{}", path.display(), source.line(span.start));
            let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
            Err(Fault::new(&source, span, format!("{place}: {message}"), "here").into())
        }
    }
}
