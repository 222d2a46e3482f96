//! Errors in declarations, shown with the line that contains them.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::names::{LONGEST_LINE, clipped};

/// A text file that declarations were read from.
#[derive(Debug)]
pub struct SourceText {
    /// Path of the file, relative to the project.
    pub path: PathBuf,
    /// Content of the file.
    pub text: String,
    /// Byte offset of each line break.
    lines: Vec<usize>,
}

impl SourceText {
    /// Creates a source text from a text and the path of its file.
    pub fn new(path: PathBuf, text: String) -> Self {
        let lines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        Self { path, text, lines }
    }

    /// Line number, counted from 1, of a byte offset.
    pub fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|end| *end < offset) + 1
    }
}

/// Error at a place in a declaration.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DeclarationError {
    message: String,
    label: String,
    help: Option<String>,
    file: NamedSource<String>,
    span: Range<usize>,
}

impl DeclarationError {
    /// Creates an error at `span` of `source`. `label` is printed under the quoted line.
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

    /// Adds the remedy.
    #[must_use]
    pub fn with_help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }
}

impl Diagnostic for DeclarationError {
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

/// Returns `text` with its long lines shortened, and the position of `span` in the shortened text. A long
/// line is cut around the beginning of the span if it contains it, otherwise at its end.
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
