//! Output of commands: text, tables, JSON and errors.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::process;

use serde::Serialize;
use tabled::grid::util::string::get_line_width;

use crate::error::Error;

/// Exit code of a command that cannot write its output.
const FAILED: i32 = 1;

/// Version of the JSON that commands print with `--json`: the field `version`. It increases when a field is
/// removed or changes its meaning, but not when one is added.
pub const JSON_VERSION: u32 = 1;

/// Prints the fields of a value, and the field `version`, to stdout as one JSON object.
pub fn print_json(fields: &impl Serialize) {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        version: u32,
        #[serde(flatten)]
        fields: &'a T,
    }
    print_document(&Versioned { version: JSON_VERSION, fields });
}

/// Prints a list to stdout as the field `name` of a JSON object that also has the field `version`.
pub fn print_json_list(name: &str, list: &impl Serialize) {
    print_json(&BTreeMap::from([(name, list)]));
}

/// Prints a value to stdout as JSON, without the field `version`: for formats with a version of their own.
pub fn print_document(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).expect("the value is plain data");
    print_text(&text);
}

/// Prints a line to stdout. A closed pipe (as in `| head`) is ignored. Any other failure, such as a full
/// disk, ends the program with an error.
pub fn print_text(text: &str) {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("cannot write to stdout: {error}"));
            process::exit(FAILED);
        }
        _ => {}
    }
}

/// Formats rows as columns. Each column is as wide as its widest cell, with two spaces between columns.
/// Columns in `right` are aligned to the right. Lines have no trailing spaces, and the text has no final line
/// break. Nothing is cut or wrapped.
pub fn table(rows: impl IntoIterator<Item = Vec<String>>, right: &[usize]) -> String {
    let rows =
        rows.into_iter().map(|row| row.into_iter().map(|cell| plain(&cell)).map(|cell| (width(&cell), cell)));
    let rows: Vec<Vec<(usize, String)>> = rows.map(Iterator::collect).collect();
    let mut widths = vec![0; rows.iter().map(Vec::len).max().unwrap_or_default()];
    for (column, (cells, _)) in rows.iter().flat_map(|row| row.iter().enumerate()) {
        widths[column] = widths[column].max(*cells);
    }
    let lines = rows.iter().map(|row| {
        let (mut line, mut gap) = (String::new(), 0);
        for (column, (cells, text)) in row.iter().enumerate() {
            let space = widths[column] - cells;
            let (before, after) = if right.contains(&column) { (gap + space, 0) } else { (gap, space) };
            let _ = write!(line, "{:before$}{text}", "");
            gap = after + 2;
        }
        line.truncate(line.trim_end().len());
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Number of cells that a text takes in a terminal: an East Asian character takes two, a combining mark none.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { get_line_width(text) }
}

/// Returns a text in which `?` replaces control characters: text from other files cannot control the terminal
/// or add lines.
pub fn plain(text: &str) -> String {
    // Most texts are ASCII, whose bytes are faster to check than characters.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.replace(char::is_control, "?")
}

/// Prints an error to stderr: its code, its message and its remedy.
pub fn print_error(error: Error) {
    say(&format!("{:?}", miette::Report::new(error)));
}

/// Prints a line to stderr. A failure, such as a full disk, is ignored, so that a log cannot end the program.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["stage", "rows", "took"], ["länger als die anderen", "7", "1 s"], ["日本", "1200", ""]];
        let text = table(rows.map(|row| row.map(str::to_owned).to_vec()), &[1]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "stage                   rows  took");
        assert_eq!(lines[1], "länger als die anderen     7  1 s");
        assert_eq!(lines[2], "日本                    1200", "wide characters take two cells");
    }

    #[test]
    fn columns_begin_in_one_cell_whatever_stands_before_them() {
        let first = [
            "a",
            "日本語",
            "cafe\u{301}",
            "😀",
            "한글",
            "ｆｕｌｌ",
            &"x".repeat(200),
            "\u{1b}[2J",
            "ไทย",
            "",
        ];
        let text = table(first.map(|cell| vec![cell.to_owned(), "|".to_owned()]), &[]);
        for line in text.lines() {
            assert_eq!(width(&line[..line.len() - 1]), 202, "{line}");
        }
    }
}
