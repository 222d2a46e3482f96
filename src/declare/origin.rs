//! Places of declared values, so that every error can show the line.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Doing, Error, Fault, Result, SourceText};
use serde::de::DeserializeOwned;
use toml::Spanned;

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
        self.error(Code::InvalidValue, message, label, help)
    }

    /// An error about a name that is not among those that exist.
    pub fn unknown_name(&self, message: String, label: &str, help: String) -> Error {
        self.error(Code::UnknownName, message, label, help)
    }

    fn error(&self, code: Code, message: String, label: &str, help: String) -> Error {
        match self {
            Self::File(source, span) => {
                Fault::new(source, span.clone(), message, label).with_help(help).into()
            }
            Self::CommandLine(_) => Error::refused(code, format!("{self}: {message}"), help),
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
    let source = Arc::new(SourceText::new(path.to_owned(), text));
    Ok((parse_toml(&source)?, source))
}

/// Reads TOML; a syntax or shape error shows the line it stands on.
///
/// # Errors
/// When the text does not have the shape of `T`.
pub fn parse_toml<T: DeserializeOwned>(source: &Arc<SourceText>) -> Result<T> {
    toml::from_str(&source.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let place = format!("{}:{}", source.path.display(), source.line(span.start));
        let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
        Fault::new(source, span, format!("{place}: {message}"), "here").into()
    })
}

/// Longest name of a stage, a source, an input, an output or a parameter.
pub(super) const LONGEST_NAME: usize = 100;

/// Refuses a name that could not be typed, wired, or used as a file's.
///
/// # Errors
/// When it has other characters than letters, digits, `_`, `-`, or is too long.
pub fn check_name(name: &Spanned<String>, what: &str, source: &Arc<SourceText>) -> Result<()> {
    let text = name.get_ref();
    if is_name(text) && !text.starts_with('-') {
        return Ok(());
    }
    let shown: String = text.chars().take(LONGEST_NAME).collect();
    let message = format!("{}: `{shown}` is no name of {what}", source.path.display());
    Err(Fault::new(source, name.span(), message, "this name").with_help(NAME_RULE).into())
}

/// Rule of [`is_name`], for help texts.
pub const NAME_RULE: &str = "letters, digits, `_` and `-`, at most 100";

/// Texts in braces: `a` and `b,c` of `x{a}y{b,c}`.
pub fn braced(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// Returns true if a text is plain enough for a name, and so for a file's name.
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(plain)
}
