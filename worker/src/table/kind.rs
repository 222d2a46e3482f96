//! Kinds of files that are given in place of a Parquet file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::code::Code;
use crate::error::Error;

/// Beginnings of files, with the names of their formats.
const FORMATS: [(&[u8], &str); 8] = [
    (b"ARROW1", "an Arrow (Feather) file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive, e.g. an Excel workbook"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"Obj\x01", "an Avro file"),
];

/// Returns the error for a file that is not a Parquet file, with its format. Returns none if it begins as one, or cannot
/// be read.
pub(super) fn other_format(path: &Path) -> Option<Error> {
    let mut start = Vec::new();
    File::open(path).ok()?.take(4096).read_to_end(&mut start).ok()?;
    if start.starts_with(b"PAR1") {
        return None;
    }
    let named = FORMATS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| *name);
    let (what, remedy) = match named {
        Some(what) => (what, "convert the file to Parquet"),
        None if start.is_empty() => ("empty", "write the table again"),
        None => match format_of_text(&start) {
            Some(what @ "JSON") => {
                (what, "convert the file, e.g. with pandas: `read_json(..).to_parquet(..)`")
            }
            Some(what @ "JSON lines") => {
                (what, "rename the file to .jsonl; a source of such files is a table")
            }
            Some(what) if what.contains("TSV") => {
                (what, "rename the file to .tsv; a source of such files is a table")
            }
            Some(what) if what.contains("CSV") => {
                (what, "rename the file to .csv; a source of such files is a table")
            }
            what => (what.unwrap_or("of an unknown format"), "name a Parquet file"),
        },
    };
    Some(Error::user_error(
        Code::Parquet,
        format!("{} is not a Parquet file: it is {what}", path.display()),
        remedy,
    ))
}

/// Format of a text file; none if the bytes are not text.
fn format_of_text(start: &[u8]) -> Option<&'static str> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if text.contains('\0') {
        return None;
    }
    let first = text.lines().find(|line| !line.trim().is_empty())?.trim();
    Some(match first.chars().next()? {
        '{' if first.ends_with('}') => "JSON lines",
        '{' | '[' => "JSON",
        '<' => "HTML or XML",
        _ if first.contains('\t') => "text with tabs (TSV)",
        _ if first.contains([',', ';']) => "text with separators (CSV)",
        _ => "text",
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_format_of_a_file_that_is_no_table_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        let refused = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("written");
            other_format(&path).map(|error| error.to_string())
        };
        assert_eq!(refused(b"PAR1 cut off"), None);
        let cases: [(&[u8], &str); 9] = [
            (b"a,b\n1,2\n", "it is text with separators (CSV)"),
            (b"a\tb\n", "it is text with tabs (TSV)"),
            (b"{\"a\": 1}\n{\"a\": 2}\n", "it is JSON lines"),
            (b"[1, 2]", "it is JSON"),
            (b"<html>", "it is HTML or XML"),
            (b"", "it is empty"),
            (b"\x1f\x8b\x08", "it is a gzip archive"),
            (b"PK\x03\x04..", "it is a zip archive, e.g. an Excel workbook"),
            (b"\x00\x01", "it is of an unknown format"),
        ];
        for (bytes, wanted) in cases {
            let found = refused(bytes).expect("refused");
            assert!(found.ends_with(wanted), "{found}");
        }
    }
}
