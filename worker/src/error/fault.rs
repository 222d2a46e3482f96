//! Errors in declarations, shown with the line they stand on.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::names::{LONGEST_LINE, clipped};

/// A text file that declarations were read from.
#[derive(Debug)]
pub struct SourceText {
    /// Its path, relative to the project.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
    /// Position after each line.
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
