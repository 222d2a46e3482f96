//! Tables as JSON lines, one object per row, for workers without a Parquet library. Binary values are
//! hexadecimal text.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;
use serde_json::{Map, Value};

use super::plain::with_offsets;
use super::read::{read_batches, rows_at_once};
use super::types::{parse_type, type_name};
use crate::code::Code;
use crate::error::{Error, IoContext, Result, list};

/// Number of lines that are converted to rows at once.
const LINES: usize = 1 << 12;

/// Number of characters of an invalid line that an error quotes.
const QUOTED: usize = 100;

/// Beginning of text files that some programs write.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Schema of declared columns, sorted by name. Every column may contain nulls.
pub fn declared_schema(columns: &BTreeMap<String, String>) -> SchemaRef {
    let field = |(name, kind): (&String, &String)| {
        Field::new(name, parse_type(kind).expect("types are checked with the declaration"), true)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Options of [`read_json`].
#[derive(Clone, Copy, Debug)]
pub struct JsonOptions {
    /// False if an incomplete last line is ignored.
    pub whole: bool,
    /// True if a column of texts also accepts numbers and truth values.
    pub texts: bool,
}

/// Calls `each` with the rows of a file of JSON lines.
///
/// # Errors
/// Returns an error if a line is not an object with these columns, or `each` fails.
pub fn read_json(
    path: &Path,
    schema: &SchemaRef,
    options: JsonOptions,
    mut each: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let mut reader = BufReader::new(File::open(path).io_context("cannot open", path)?);
    let (mut text, mut lines, mut first) = (Vec::new(), 0, 1);
    if reader.fill_buf().io_context("cannot read", path)?.starts_with(BYTE_ORDER_MARK) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    loop {
        let read = reader.read_until(b'\n', &mut text).io_context("cannot read", path)?;
        let cut = read > 0 && text.last() != Some(&b'\n') && !options.whole;
        if cut {
            text.truncate(text.len() - read);
        }
        lines += usize::from(read > 0 && !cut);
        let last = read == 0 || cut;
        if last || lines == LINES {
            parse(path, schema, options, &text, first, lines)?.into_iter().try_for_each(&mut each)?;
            first += lines;
            lines = 0;
            text.clear();
        }
        if last {
            return Ok(());
        }
    }
}

fn parse(
    path: &Path,
    schema: &SchemaRef,
    options: JsonOptions,
    text: &[u8],
    first: usize,
    lines: usize,
) -> Result<Vec<RecordBatch>> {
    let rows = |text: &[u8]| {
        check_integers(schema, text)?;
        let reader = ReaderBuilder::new(schema.clone()).with_strict_mode(true).with_batch_size(LINES);
        let reader = reader.with_coerce_primitive(options.texts);
        reader.build(Cursor::new(text))?.collect::<Result<Vec<_>, ArrowError>>()
    };
    let whole = rows(text);
    whole.map_err(|error| {
        // The reader does not report the line of an error, so the lines are parsed one by one to find it.
        let mut each = text.split(|byte| *byte == b'\n').zip(first..);
        let (line, number) = each.find(|(line, _)| rows(line).is_err()).unwrap_or((text, first + lines));
        let line = String::from_utf8_lossy(line);
        let line = line.chars().take(QUOTED).collect::<String>();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let columns = list(schema.fields().iter().map(|field| field.name().as_str()));
        let error = error.to_string();
        let reason = error.trim_start_matches("Json error: ");
        let odd = ["NaN", "Infinity"].iter().any(|word| line.contains(word));
        let null = if odd { "; JSON has no NaN and no infinity, so write null" } else { "" };
        let help = match reason.ends_with(NOT_INTEGER) {
            true => "correct the value, or declare another type".to_owned(),
            false => format!("write one JSON object per line, with the declared columns: {columns}{null}"),
        };
        let message = format!("`{line}` in line {number} of {name} is not a valid row: {reason}");
        Error::user_error(Code::WorkerOutput, message, help)
    })
}

/// Checks that columns of integers contain no fraction, which the reader would cut off.
fn check_integers(schema: &SchemaRef, text: &[u8]) -> Result<(), ArrowError> {
    let columns: Vec<_> = schema.fields().iter().filter(|field| has_integers(field.data_type())).collect();
    if columns.is_empty() {
        return Ok(());
    }
    // Few lines have a digit before a point or an exponent.
    let may_have_fraction =
        |line: &&[u8]| line.windows(2).any(|pair| pair[0].is_ascii_digit() && b".eE".contains(&pair[1]));
    let lines = text.split(|byte| *byte == b'\n').filter(may_have_fraction);
    for row in lines.filter_map(|line| serde_json::from_slice::<Map<String, Value>>(line).ok()) {
        for column in &columns {
            if let Some(number) = row.get(column.name()).and_then(fraction) {
                let (name, kind) = (column.name(), type_name(column.data_type()));
                let reason = format!("column `{name}` has the type {kind}, but {number} {NOT_INTEGER}");
                return Err(ArrowError::JsonError(reason));
            }
        }
    }
    Ok(())
}

/// End of the reason for a fraction in a column of integers.
const NOT_INTEGER: &str = "is not an integer";

fn has_integers(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) | DataType::FixedSizeList(item, _) => has_integers(item.data_type()),
        other => other.is_integer(),
    }
}

/// Returns the first number of a value that is not an integer.
fn fraction(value: &Value) -> Option<f64> {
    match value {
        Value::Array(items) => items.iter().find_map(fraction),
        other => other.as_f64().filter(|number| number.fract() != 0.0),
    }
}

/// Writes a table as JSON lines.
///
/// # Errors
/// Returns an error if the table cannot be read or the file cannot be written.
pub fn write_json(table: &Path, to: &Path) -> Result<()> {
    let file = BufWriter::new(File::create(to).io_context("cannot create", to)?);
    let mut writer = LineDelimitedWriter::new(file);
    read_batches(table, &[], rows_at_once(&super::part_files(table)?)?, |rows| -> Result<()> {
        let rows = with_offsets(rows).map_err(ParquetError::from).io_context("cannot read", table)?;
        writer.write(&rows).map_err(ParquetError::from).io_context("cannot write", to)
    })?;
    writer.finish().map_err(ParquetError::from).io_context("cannot write", to)?;
    writer.into_inner().flush().io_context("cannot write", to)
}
