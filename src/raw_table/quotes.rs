//! Quotes of a CSV file. The reader accepts any of them: an open quote would swallow the rest of the file.

use std::fs::File;
use std::io::{BufRead, BufReader};

use callsheet_worker::error::{IoContext, Result};

use super::raw_file::{RawFile, malformed};

/// Place in a file, between two bytes.
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote within a quoted field: its end, or the first half of a doubled quote.
    QuoteInQuoted,
}

/// Checks that every quoted field ends with a quote, after which the field ends.
///
/// # Errors
/// Returns an error with the line if one does not, or if the file cannot be read.
pub(super) fn check_quotes(file: &RawFile, separator: u8) -> Result<()> {
    let mut reader = BufReader::new(File::open(&file.path).io_context("cannot open", &file.path)?);
    let (mut state, mut line, mut opened, mut first) = (State::FieldStart, 1_u64, 1_u64, true);
    loop {
        let bytes = reader.fill_buf().io_context("cannot read", &file.path)?;
        let count = bytes.len();
        if count == 0 {
            break;
        }
        let start = if first && bytes.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        first = false;
        for byte in &bytes[start..] {
            state = match (state, *byte) {
                (State::Quoted, b'"') => State::QuoteInQuoted,
                (State::Quoted, _) => State::Quoted,
                (State::QuoteInQuoted, b'"') => State::Quoted,
                (_, b'\n' | b'\r') => State::FieldStart,
                (_, byte) if byte == separator => State::FieldStart,
                (State::QuoteInQuoted, _) => {
                    let problem = format!("line {line} has text after the closing quote of a field");
                    return Err(malformed(
                        file,
                        &problem,
                        "double a quote within a quoted field, or quote the whole field",
                    ));
                }
                (State::FieldStart, b'"') => {
                    opened = line;
                    State::Quoted
                }
                _ => State::Unquoted,
            };
            line += u64::from(*byte == b'\n');
        }
        reader.consume(count);
    }
    match state {
        State::Quoted => {
            let problem = format!("the quote that opens in line {opened} is not closed");
            Err(malformed(file, &problem, "close it, or double a quote that is part of the text"))
        }
        _ => Ok(()),
    }
}
