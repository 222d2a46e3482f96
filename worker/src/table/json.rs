//! Tables as JSON lines, for workers without a Parquet library: one object a row. Binary values are
//! hexadecimal text.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;

use super::read::{read_batches, rows_at_once};
use super::types::parse_type;
use crate::code::Code;
use crate::error::{Doing, Error, Result, list};

/// Lines turned into rows at once.
const LINES: usize = 1 << 12;

/// Characters of a bad line that an error quotes.
const QUOTED: usize = 100;

/// The schema of declared columns, by name; any of them may be null.
pub fn declared_schema(columns: &BTreeMap<String, String>) -> SchemaRef {
    let field = |(name, kind): (&String, &String)| {
        Field::new(name, parse_type(kind).expect("types are checked with the declaration"), true)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Calls `each` with the rows of a file of JSON lines. Unless the file is `whole`, a last line that is
/// cut off is passed over.
///
/// # Errors
/// When a line is no object with these columns, or `each` fails.
pub fn read_json(
    path: &Path,
    schema: &SchemaRef,
    whole: bool,
    mut each: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let mut reader = BufReader::new(File::open(path).doing("cannot open", path)?);
    let (mut text, mut lines, mut first) = (Vec::new(), 0, 1);
    loop {
        let read = reader.read_until(b'\n', &mut text).doing("cannot read", path)?;
        let cut = read > 0 && text.last() != Some(&b'\n') && !whole;
        if cut {
            text.truncate(text.len() - read);
        }
        lines += usize::from(read > 0 && !cut);
        let last = read == 0 || cut;
        if last || lines == LINES {
            parse(path, schema, &text, first, lines)?.into_iter().try_for_each(&mut each)?;
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
    text: &[u8],
    first: usize,
    lines: usize,
) -> Result<Vec<RecordBatch>> {
    let rows = |text: &[u8]| {
        let reader = ReaderBuilder::new(schema.clone()).with_strict_mode(true).with_batch_size(LINES);
        reader.build(Cursor::new(text))?.collect::<Result<Vec<_>, _>>()
    };
    let whole = rows(text);
    whole.map_err(|error| {
        // Which line it is, the reader does not say.
        let mut each = text.split(|byte| *byte == b'\n').zip(first..);
        let (line, number) = each.find(|(line, _)| rows(line).is_err()).unwrap_or((text, first + lines));
        let line = String::from_utf8_lossy(line);
        let line = line.chars().take(QUOTED).collect::<String>();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let columns = list(schema.fields().iter().map(|field| field.name().as_str()));
        Error::refused(
            Code::WorkerOutput,
            format!("line {number} of {name}, `{line}`: {error}"),
            format!("write one JSON object a line, with the declared columns: {columns}"),
        )
    })
}

/// Writes a table as JSON lines.
///
/// # Errors
/// When it cannot be read, or the disk is full.
pub fn write_json(table: &Path, to: &Path) -> Result<()> {
    let file = BufWriter::new(File::create(to).doing("cannot create", to)?);
    let mut writer = LineDelimitedWriter::new(file);
    read_batches(table, &[], rows_at_once(&super::part_files(table)?)?, |rows| -> Result<()> {
        writer.write(&rows).map_err(ParquetError::from).doing("cannot write", to)
    })?;
    writer.finish().map_err(ParquetError::from).doing("cannot write", to)?;
    writer.into_inner().flush().doing("cannot write", to)
}
