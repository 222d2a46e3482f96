//! Verdicts of people on the rows of a table.
//!
//! `pipelines/curation/<dataset>.csv` has one line for each judged row, and is kept in git. Stages read it as
//! an ordinary input.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::error::{Error, IoContext, Result, nearest};

/// First line of the file.
pub const HEADER: &str = "key,verdict,reason,author,time";

/// First line of files that earlier versions wrote. Their times are days.
const OLD_HEADER: &str = "frame_id,verdict,reason,author,date";

/// Decision on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The row is excluded from training and evaluation.
    Exclude,
    /// The row was reviewed, and is kept.
    Include,
}

impl Verdict {
    /// Name of the verdict in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exclude => "exclude",
            Self::Include => "include",
        }
    }
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Line {
    /// Key of the row.
    pub key: String,
    /// Decision on the row.
    pub verdict: Verdict,
    /// Reason for the decision.
    pub reason: String,
    /// Name of the curator.
    pub author: String,
    /// Time of the decision: `2026-11-25T08:30:00Z`, or a day.
    pub time: String,
}

/// Reads the verdicts in the order of the file.
///
/// # Errors
/// Returns an error if the file cannot be read, its header or a verdict is unknown, a field is missing or
/// invalid, or two lines have one key. The message contains the number of the line.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    let bytes = fs::read(path).io_context("cannot read", path)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::user_error(
            Code::Unreadable,
            format!("line {line} of {}: the text is not valid UTF-8", path.display()),
            "save the file as UTF-8",
        )
    })?;
    parse(&text, path)
}

/// Reads verdicts from the text of a file. `path` is for errors.
///
/// # Errors
/// See [`read`].
pub fn parse(text: &str, path: &Path) -> Result<Vec<Line>> {
    let refused = |line: u64, what: String, help: String| {
        Err(Error::user_error(Code::InvalidValue, format!("line {line} of {}: {what}", path.display()), help))
    };
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let fields = HEADER.split(',').count();
    match reader.headers() {
        Ok(found) if [HEADER, OLD_HEADER].iter().any(|header| found.iter().eq(header.split(','))) => {}
        _ => return refused(1, "unknown header".to_owned(), format!("write the header as `{HEADER}`")),
    }
    let mut lines: Vec<Line> = Vec::new();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let at = error.position().map_or(0, csv::Position::line);
                let help = format!(
                    "write {fields} fields per line: {HEADER}; put a reason with commas in double quotes"
                );
                return refused(at, csv_problem(&error), help);
            }
        };
        let at = record.position().map_or(0, csv::Position::line);
        let field = |n: usize| record.get(n).unwrap_or_default().trim().to_owned();
        // A program that does not remove spaces would not know the verdict.
        let verdict = match record.get(1).unwrap_or_default() {
            "exclude" => Verdict::Exclude,
            "include" => Verdict::Include,
            other => {
                let help = match nearest(other, ["exclude", "include"]) {
                    Some(near) => format!("did you mean `{near}`? (known: exclude, include)"),
                    None => "use one of: exclude, include".to_owned(),
                };
                return refused(at, format!("unknown verdict `{other}`"), help);
            }
        };
        let key = record.get(0).unwrap_or_default().to_owned();
        let line = Line { key, verdict, reason: field(2), author: field(3), time: field(4) };
        if line.key.is_empty() {
            let help = "write the key in the first field".to_owned();
            return refused(at, "the key is missing".to_owned(), help);
        }
        for (name, text) in [("reason", &line.reason), ("author", &line.author)] {
            if text.is_empty() {
                let help = format!("write every field of the line: {HEADER}");
                return refused(at, format!("the {name} is missing"), help);
            }
        }
        if !is_time(&line.time) {
            let help = "write the time as 2026-11-25T08:30:00Z, or as the day alone".to_owned();
            return refused(at, format!("`{}` is not a valid time", line.time), help);
        }
        if let Some(first) = seen.insert(line.key.clone(), at) {
            let help = "keep one of the two lines; earlier verdicts are in git".to_owned();
            return refused(at, format!("row `{}` already has a verdict in line {first}", line.key), help);
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Returns true if a text is a time like `2026-11-25T08:30:00Z`, or a day.
fn is_time(text: &str) -> bool {
    humantime::parse_rfc3339(text).is_ok() || humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).is_ok()
}

fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the line has {len} fields instead of {expected_len}")
        }
        _ => error.to_string(),
    }
}

/// Writes the verdicts in this order. The file is replaced atomically, so a reader sees either the old or the
/// new content.
///
/// # Errors
/// Returns an error if the folder or the file cannot be written.
pub fn write(path: &Path, lines: &[Line]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).io_context("cannot create", folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).io_context("cannot write in", folder)?;
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for line in lines {
        writer.serialize(line).map_err(io::Error::from).io_context("cannot write", path)?;
    }
    let text = writer.into_inner().map_err(|error| error.into_error()).io_context("cannot write", path)?;
    let written = writeln!(file, "{HEADER}").and_then(|()| file.write_all(&text));
    written.io_context("cannot write", path)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode).io_context("cannot write", path)?;
    file.persist(path).map_err(|error| error.error).io_context("cannot write", path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(lines: &str) -> String {
        let text = format!("{HEADER}\n{lines}");
        parse(&text, Path::new("c.csv")).expect_err("refused").to_string()
    }

    #[test]
    fn verdicts_survive_a_round_trip_with_any_text_as_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("curation/c.csv");
        let line = |id: &str, verdict, reason: &str| Line {
            key: id.into(),
            verdict,
            reason: reason.into(),
            author: "a".into(),
            time: "2026-01-02T10:00:00Z".into(),
        };
        let lines = [
            line("v#1", Verdict::Exclude, "a bird, \"big\"\nand near"),
            line("v#2", Verdict::Include, "fine"),
        ];
        write(&path, &lines).expect("written");
        assert_eq!(read(&path).expect("read"), lines);
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        assert_eq!(refused("v#1,exlude,x,a,d"), "line 2 of c.csv: unknown verdict `exlude`");
        assert_eq!(refused("v#1,exclude,,a,2026-01-01"), "line 2 of c.csv: the reason is missing");
        assert_eq!(refused("v#1,exclude,x,a,yesterday"), "line 2 of c.csv: `yesterday` is not a valid time");
        assert_eq!(
            refused("v#1,exclude,x,a,2026-01-01\nv#1,include,x,a,2026-01-01"),
            "line 3 of c.csv: row `v#1` already has a verdict in line 2"
        );
        assert_eq!(refused("v#1,exclude,x"), "line 2 of c.csv: the line has 3 fields instead of 5");
        assert_eq!(refused(",exclude,x,a,d"), "line 2 of c.csv: the key is missing");
        let header = parse("frame,verdict\n", Path::new("c.csv")).expect_err("refused").to_string();
        assert_eq!(header, "line 1 of c.csv: unknown header");
        assert!(parse(&format!("{HEADER}\n"), Path::new("c.csv")).expect("read").is_empty());
        let old =
            parse(&format!("{OLD_HEADER}\nv#1,include,x,a,2026-01-01\n"), Path::new("c.csv")).expect("read");
        assert_eq!((old[0].key.as_str(), old[0].time.as_str()), ("v#1", "2026-01-01"));
    }
}
