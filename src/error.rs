//! Errors of the library: each says what was being done, to which file, and what would be right.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::code::Code;
use miette::{Diagnostic, LabeledSpan, MietteHandlerOpts, NamedSource, SourceCode};
use parquet::errors::ParquetError;

/// Anything that stops a command before or beside the stages it runs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A declaration that is wrong, shown with the line it stands on.
    #[error(transparent)]
    Fault(#[from] Box<Fault>),
    /// The file system refused something.
    #[error("{doing} {}: {source}", shown(path))]
    Io {
        /// What was being done, e.g. `cannot read`.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A Parquet file that cannot be read or written.
    #[error("{doing} {}: {source}", shown(path))]
    Parquet {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: parquet::errors::ParquetError,
    },
    /// A request that cannot be met, with what to do instead.
    #[error("{message}")]
    Refused {
        /// Kind of the error.
        code: Code,
        /// What is wrong, with the value quoted.
        message: String,
        /// What would be right.
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

/// What a user can do about an operating-system error, where there is something.
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

/// A text file that declarations were read from.
#[derive(Debug)]
pub struct SourceText {
    /// Its path, relative to the project.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
    /// Where each line ends.
    lines: Vec<usize>,
}

impl SourceText {
    /// A text and the path it was read from.
    pub fn new(path: PathBuf, text: String) -> Self {
        let lines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        Self { path, text, lines }
    }

    /// The line, counted from 1, of a byte offset.
    pub fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|end| *end < offset) + 1
    }
}

/// Something wrong at a place in a declaration.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    message: String,
    label: String,
    help: Option<String>,
    file: NamedSource<String>,
    span: Range<usize>,
}

impl Fault {
    /// A fault at `span` of `source`; `label` stands under the quoted line.
    pub fn new(
        source: &Arc<SourceText>,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Box<Self> {
        let (text, span) = excerpt(&source.text, span);
        Box::new(Self {
            message: clipped(&message.into()),
            label: label.into(),
            help: None,
            file: NamedSource::new(source.path.display().to_string(), text),
            span,
        })
    }

    /// Adds what would be right.
    #[must_use]
    pub fn with_help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }
}

impl Diagnostic for Fault {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<_>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.file)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(Some(self.label.clone()), self.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

/// Characters of a line that a reader still reads.
const LONGEST_LINE: usize = 400;

/// A text without the rest of its long lines.
fn clipped(text: &str) -> String {
    let clip = |line: &str| match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    text.split('\n').map(clip).collect::<Vec<_>>().join("\n")
}

fn shown(path: &Path) -> String {
    clipped(&path.display().to_string())
}

/// A text in which no line is long, and where `span` lies in it: of a long line that holds the
/// beginning of the span, what stands around that is left.
fn excerpt(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    if text.split('\n').all(|line| line.len() <= LONGEST_LINE) {
        return (text.to_owned(), span);
    }
    let start = text.floor_char_boundary(span.start);
    let mut short = String::new();
    let mut moved = 0..0;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let end = offset + line.len();
        let from = match (offset..end).contains(&start) {
            true => text.floor_char_boundary(start.saturating_sub(LONGEST_LINE / 4).max(offset)),
            false => offset,
        };
        let to = text.ceil_char_boundary(from.saturating_add(LONGEST_LINE).min(end));
        if (offset..end).contains(&start) {
            let begin = short.len() + start - from;
            moved = begin..begin + span.end.min(to).saturating_sub(start);
        }
        short.push_str(&text[from..to]);
        if to < end {
            short.push_str("…\n");
        }
        offset = end;
    }
    (short, moved)
}

/// `did you mean "x"? (known: a, b, x)`, for a name that does not exist.
pub fn suggest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let list = list(known.iter().copied());
    match nearest(wanted, known) {
        Some(name) => format!("did you mean `{name}`? (known: {list})"),
        None => format!("known: {list}"),
    }
}

/// `a, b, x`, or so many that a reader still reads them.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<&str> = names.by_ref().take(LISTED).collect();
    match (shown.len(), names.count()) {
        (0, _) => "none".to_owned(),
        (_, 0) => shown.join(", "),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Names that a list shows.
const LISTED: usize = 40;

/// The known name that `wanted` is most likely a slip for, if there is one.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::normalized_damerau_levenshtein(wanted, name), name));
    let likely = scored.filter(|(likeness, _)| *likeness > 0.5);
    likely.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
