//! Places of declared values, so that every error can show the line.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{DeclarationError, Error, IoContext, Result, SourceText};
use serde::de::DeserializeOwned;
use toml::Spanned;

/// Place that sets a value.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A span of a file.
    File(Arc<SourceText>, Range<usize>),
    /// A `--set` option on the command line, as typed.
    CommandLine(String),
}

impl Origin {
    /// Returns an error about this value.
    pub fn declaration_error(&self, message: String, label: &str, help: String) -> Error {
        self.error(Code::InvalidValue, message, label, help)
    }

    /// Returns an error about an unknown name.
    pub fn unknown_name(&self, message: String, label: &str, help: String) -> Error {
        self.error(Code::UnknownName, message, label, help)
    }

    fn error(&self, code: Code, message: String, label: &str, help: String) -> Error {
        match self {
            Self::File(source, span) => {
                DeclarationError::new(source, span.clone(), message, label).with_help(help).into()
            }
            Self::CommandLine(_) => Error::user_error(code, format!("{self}: {message}"), help),
        }
    }
}

/// Formats the place as `pipelines/synthesis.toml:12`, or as the option.
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

/// Reads a TOML file below `root`; an error of syntax or structure shows its line.
///
/// # Errors
/// Returns an error if the file cannot be read, is not UTF-8, or does not have the structure of `T`.
pub fn read_toml<T: DeserializeOwned>(root: &Path, path: &Path) -> Result<(T, Arc<SourceText>)> {
    let text = fs::read_to_string(root.join(path)).io_context("cannot read", path)?;
    let source = Arc::new(SourceText::new(path.to_owned(), text));
    Ok((parse_toml(&source)?, source))
}

/// Reads TOML; an error of syntax or structure shows its line.
///
/// # Errors
/// Returns an error if the text does not have the structure of `T`.
pub fn parse_toml<T: DeserializeOwned>(source: &Arc<SourceText>) -> Result<T> {
    toml::from_str(&source.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let place = format!("{}:{}", source.path.display(), source.line(span.start));
        let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
        DeclarationError::new(source, span, format!("{place}: {message}"), "here").into()
    })
}

/// Largest length in characters of the name of a stage, a source, an input, an output or a parameter.
pub(super) const LONGEST_NAME: usize = 100;

/// Rejects a name that cannot be typed in a command, used in wiring, or used as the name of a file.
///
/// # Errors
/// Returns an error if the name is empty or too long, starts with `-`, or has other characters than letters,
/// digits, `_` and `-`.
pub fn check_name(name: &Spanned<String>, what: &str, source: &Arc<SourceText>) -> Result<()> {
    let text = name.get_ref();
    if is_name(text) && !text.starts_with('-') {
        return Ok(());
    }
    let shown: String = text.chars().take(LONGEST_NAME).collect();
    let message = format!("{}: `{shown}` is not a valid name of {what}", source.path.display());
    Err(DeclarationError::new(source, name.span(), message, "this name").with_help(NAME_RULE).into())
}

/// Rule for names as a help text.
pub const NAME_RULE: &str = "use at most 100 letters, digits, `_` and `-`, and do not begin with `-`";

/// Returns the texts in braces: `a` and `b,c` for `x{a}y{b,c}`.
pub fn braced(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// Returns true if a text has the length and the characters of a name. Such a text is also valid as the name
/// of a file.
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(plain)
}
