//! Rows as text, CSV, JSON or Parquet. The only module that prints.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "all output is printed here")]

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use polars::polars_utils::pl_path::PlRefPath;
use polars::prelude::*;
use serde::Serialize;

use crate::code;
use crate::frame::{collect, failure, row_number, short};
use crate::table::without_pictures;

/// Format of printed rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns of text.
    Table,
    /// Comma-separated values. A vector becomes text such as `1;2;3`, a picture becomes its file name.
    Csv,
    /// JSON: one array of objects.
    Json,
    /// JSON: one object per line.
    Ndjson,
    /// Parquet, including pictures.
    Parquet,
}

/// Destination and format of the output.
pub(crate) struct Output {
    /// Format of the output.
    pub format: Format,
    /// File to write; stdout if `None`.
    pub path: Option<PathBuf>,
    /// Largest number of rows of a printed table.
    pub limit: usize,
}

impl Output {
    /// Prints rows.
    ///
    /// # Errors
    /// Returns an error if the rows cannot be computed, or the file cannot be written.
    pub(crate) fn rows(&self, frame: LazyFrame) -> Result<()> {
        let frame = match self.format {
            Format::Table => return self.table(frame),
            Format::Parquet => frame,
            Format::Json | Format::Ndjson => plain(frame)?,
            Format::Csv => flat(plain(frame)?)?,
        };
        match (&self.path, self.format) {
            (Some(path), Format::Parquet) => sink(frame, path, FileWriteFormat::Parquet(Arc::default())),
            (Some(path), Format::Csv) => sink(frame, path, FileWriteFormat::Csv(CsvWriterOptions::default())),
            (Some(path), Format::Ndjson) => {
                sink(frame, path, FileWriteFormat::NDJson(NDJsonWriterOptions::default()))
            }
            (None, Format::Parquet) => Err(miette!(
                code = code::MISSING_ARGUMENT,
                help = "name a file with --output",
                "Parquet cannot be printed to stdout"
            )),
            (_, Format::Csv) => self.text(collect(frame)?, |rows, out| CsvWriter::new(out).finish(rows)),
            (_, format) => {
                let format = if format == Format::Json { JsonFormat::Json } else { JsonFormat::JsonLines };
                self.text(collect(frame)?, |rows, out| {
                    JsonWriter::new(out).with_json_format(format).finish(rows)
                })
            }
        }
    }

    /// Prints an answer that does not consist of rows: as text, or as JSON.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub(crate) fn answer(&self, text: &str, value: &impl Serialize) -> Result<()> {
        let text = match self.format {
            Format::Json | Format::Ndjson => serde_json::to_string_pretty(value).into_diagnostic()?,
            _ => text.to_owned(),
        };
        self.write(text.as_bytes())
    }

    fn table(&self, frame: LazyFrame) -> Result<()> {
        let rows = collect(without_pictures(frame)?.limit(row_number(self.limit).saturating_add(1)))?;
        let more = match rows.height() > self.limit {
            true => format!("the first {} rows; use --limit for more, --format csv for all", self.limit),
            false => format!("{} rows", rows.height()),
        };
        self.write(format!("{}{more}", grid(&rows.head(Some(self.limit)))?).as_bytes())
    }

    fn text(
        &self,
        mut rows: DataFrame,
        print: impl FnOnce(&mut DataFrame, &mut dyn Write) -> PolarsResult<()>,
    ) -> Result<()> {
        let mut text = Vec::new();
        print(&mut rows, &mut text).into_diagnostic()?;
        while text.last() == Some(&b'\n') {
            text.pop();
        }
        if text.is_empty() { Ok(()) } else { self.write(&text) }
    }

    fn write(&self, text: &[u8]) -> Result<()> {
        if let Some(path) = &self.path {
            let mut file = create(path)?;
            file.write_all(text).and_then(|()| file.write_all(b"\n")).into_diagnostic()?;
            say(&format!("written to {}", path.display()));
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(text).and_then(|()| out.write_all(b"\n")) {
            // A reader that closes the pipe early (`| head`) is not an error.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(error).into_diagnostic().wrap_err("cannot write to stdout")
            }
            _ => Ok(()),
        }
    }
}

fn create(path: &PathBuf) -> Result<File> {
    File::create(path).into_diagnostic().wrap_err_with(|| format!("cannot create {}", path.display()))
}

/// Writes rows to a file as they are computed. A rename at the end replaces the file, so that a reader sees
/// the old or the complete new file.
fn sink(frame: LazyFrame, path: &Path, format: FileWriteFormat) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A device or a pipe is written to directly.
    let draft = match path.exists() && !path.is_file() {
        true => path.to_owned(),
        false => path.with_file_name(format!(".{name}.{}", std::process::id())),
    };
    let target = SinkTarget::Path(PlRefPath::try_from_path(&draft).into_diagnostic()?);
    let written = frame
        .sink(SinkDestination::File { target }, format, UnifiedSinkArgs::default())
        .and_then(|frame| frame.collect_with_engine(Engine::Streaming))
        .map_err(|error| failure(&error))
        .and_then(|_| if draft == path { Ok(()) } else { std::fs::rename(&draft, path).into_diagnostic() });
    if written.is_err() && draft != path {
        let _ = std::fs::remove_file(&draft);
    }
    written.wrap_err_with(|| format!("cannot write {}", path.display()))?;
    say(&format!("written to {}", path.display()));
    Ok(())
}

/// Prints a line to stderr.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
}

/// Text of rows in aligned columns; numbers are aligned to the right.
fn grid(rows: &DataFrame) -> Result<String> {
    let mut columns: Vec<(Vec<String>, bool)> = Vec::new();
    for column in rows.columns() {
        let mut cells = vec![column.name().to_string()];
        for row in 0..rows.height() {
            cells.push(cell(&column.get(row).into_diagnostic()?));
        }
        columns.push((cells, column.dtype().is_primitive_numeric()));
    }
    let width = |cells: &Vec<String>| cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = columns.iter().map(|(cells, _)| width(cells)).collect();
    let mut text = String::new();
    for row in 0..=rows.height() {
        let cells = columns.iter().zip(&widths).map(|((cells, right), width)| match right {
            true => format!("{:>width$}", cells[row]),
            false => format!("{:<width$}", cells[row]),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
        if row == 0 {
            let rules = widths.iter().map(|width| "-".repeat(*width));
            text.push_str(&rules.collect::<Vec<_>>().join("  "));
            text.push('\n');
        }
    }
    Ok(text)
}

/// Text in which control characters are escaped, because a terminal would obey them.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// Largest numbers of characters of a text, and of values of a vector, that a cell shows.
const CELL: (usize, usize) = (60, 4);

fn cell(value: &AnyValue) -> String {
    let clipped = |text: &str| match text.char_indices().nth(CELL.0) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text),
    };
    match value {
        AnyValue::Null => "-".to_owned(),
        AnyValue::String(text) => clipped(text),
        AnyValue::StringOwned(text) => clipped(text),
        AnyValue::Float32(number) => short(f64::from(*number)),
        AnyValue::Float64(number) => short(*number),
        AnyValue::Binary(bytes) => format!("{} bytes", bytes.len()),
        AnyValue::BinaryOwned(bytes) => format!("{} bytes", bytes.len()),
        AnyValue::List(values) | AnyValue::Array(values, _) => {
            let first = (0..values.len().min(CELL.1)).filter_map(|at| Some(cell(&values.get(at).ok()?)));
            let more = if values.len() > CELL.1 { format!(", … {}", values.len()) } else { String::new() };
            format!("[{}{more}]", first.collect::<Vec<_>>().join(", "))
        }
        other => clipped(&other.to_string()),
    }
}

/// Rows that JSON can represent: pictures become file names, and other bytes become null.
fn plain(frame: LazyFrame) -> Result<LazyFrame> {
    let mut frame = without_pictures(frame)?;
    let schema = frame.collect_schema().into_diagnostic()?;
    let lists = schema.iter().filter_map(|(name, kind)| match kind {
        DataType::Array(inner, _) | DataType::List(inner) if **inner == DataType::Binary => {
            Some(lit(NULL).cast(DataType::String).alias(name.clone()))
        }
        DataType::Array(inner, _) => Some(col(name.clone()).cast(DataType::List(inner.clone()))),
        DataType::Binary => Some(lit(NULL).cast(DataType::String).alias(name.clone())),
        _ => None,
    });
    let lists: Vec<Expr> = lists.collect();
    Ok(if lists.is_empty() { frame } else { frame.with_columns(lists) })
}

/// Rows that CSV can represent: a vector becomes `1;2;3`.
fn flat(mut frame: LazyFrame) -> Result<LazyFrame> {
    let schema = frame.collect_schema().into_diagnostic()?;
    let lists = schema.iter().filter(|(_, kind)| matches!(kind, DataType::List(_)));
    let lists: Vec<Expr> = lists
        .map(|(name, _)| {
            let texts = col(name.clone()).cast(DataType::List(Box::new(DataType::String)));
            texts.list().join(lit(";"), false)
        })
        .collect();
    Ok(if lists.is_empty() { frame } else { frame.with_columns(lists) })
}
