//! Places of declared values, so that every error can show the line.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{DeclarationError, Error, IoContext, Result, SourceText, nearest};
use serde::de::DeserializeOwned;
use toml::Spanned;

use crate::trace;

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
            Self::CommandLine(option) => {
                Error::user_error(code, format!("--set `{option}`: {message}"), help)
            }
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
    let text = trace::read_to_string(&root.join(path)).io_context("cannot read", path)?;
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
        let message = plain_words(error.message().lines().next().unwrap_or("not valid TOML"));
        let fault = DeclarationError::new(source, span, format!("{place}: {message}"), "here");
        match remedy(&source.text, &message) {
            Some(help) => fault.with_help(help).into(),
            None => fault.into(),
        }
    })
}

/// Words of the libraries that read TOML, each with the words that replace it in messages.
const WORDS: [(&str, &str); 10] = [
    ("cannot recurse further; max recursion depth met", "values are nested too deeply"),
    ("recursion limit", "tables are nested too deeply"),
    (
        "expected non-double-quote visible characters, `\\`",
        "expected a visible character or an escape such as `\\n`",
    ),
    ("invalid type: sequence", "invalid type: list"),
    ("invalid type: map", "invalid type: table"),
    ("expected a sequence", "expected a list"),
    ("expected a map produced by LiteMap", "expected a table"),
    ("expected a map", "expected a table"),
    ("expected usize", "expected an integer of at least 0"),
    ("expected u32", "expected an integer from 0 to 4294967295"),
];

/// Returns a message of the libraries that read TOML in the words of this project.
pub(super) fn plain_words(message: &str) -> String {
    WORDS.iter().fold(message.to_owned(), |message, (theirs, ours)| message.replace(theirs, ours))
}

/// Remedy for a message about a TOML file, if the message does not contain it.
fn remedy(text: &str, message: &str) -> Option<String> {
    if let Some(field) = message.strip_prefix("missing field ") {
        return Some(format!("add {field}"));
    }
    if message.starts_with("unknown field ") || message.starts_with("unknown variant ") {
        // "unknown field `sumary`, expected one of `summary`, `version`"
        let mut names = message.split('`').skip(1).step_by(2);
        let wrong = names.next()?;
        return nearest(wrong, names).map(|near| format!("did you mean `{near}`?"));
    }
    if message.ends_with("nested too deeply") {
        return Some("use fewer levels of nesting".to_owned());
    }
    if message == "duplicate key" {
        return Some("rename or remove one of the two keys".to_owned());
    }
    toml::from_str::<toml::Table>(text).is_err().then(|| "correct the TOML at this place".to_owned())
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
