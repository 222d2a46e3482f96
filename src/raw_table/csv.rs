//! CSV: text with a header and separators.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table::type_name;
use csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord, Trim};

use super::kinds::{Kind, Kinds, Place};
use super::quotes::check_quotes;
use super::raw_file::{RawFile, check_declared, malformed};

/// Number of rows that are converted at once.
const BATCH: usize = 1 << 12;

/// Values that mean a missing number, as other programs write it.
const MISSING: [&str; 8] = ["", "na", "n/a", "nan", "null", "none", "-", "#n/a"];

/// Returns the columns of CSV files, in the order of the first file.
///
/// # Errors
/// Returns an error if a file is malformed, the files have different columns, or a column has mixed types.
pub(super) fn schema(files: &[RawFile], columns: &BTreeMap<String, String>) -> Result<SchemaRef> {
    let mut kinds = Kinds::default();
    let mut first: Option<Vec<String>> = None;
    for (position, file) in files.iter().enumerate() {
        check_quotes(file, separator(file)?)?;
        let (mut reader, header) = open(file)?;
        check_declared(file, columns, header.iter().map(String::as_str))?;
        let known = first.get_or_insert_with(|| header.clone());
        check_same(file, known, &header)?;
        let inferred: Vec<(usize, &String)> =
            header.iter().enumerate().filter(|(_, name)| !columns.contains_key(*name)).collect();
        each(file, &mut reader, |record| {
            for (at, name) in &inferred {
                let value = &record[*at];
                if let Some(kind) = kind_of(value) {
                    kinds.add(name, kind, || Place {
                        file: (position, file.clone()),
                        line: line(file, record.position()),
                        text: value.to_owned(),
                    });
                }
            }
            Ok(())
        })?;
    }
    let Some(names) = first else { return Ok(Arc::new(Schema::empty())) };
    kinds.schema(&names, columns, true)
}

/// Calls `write` with the rows of a file.
///
/// # Errors
/// Returns an error if a value is not of its column's type, or `write` fails.
pub(super) fn read(
    file: &RawFile,
    schema: &SchemaRef,
    write: &mut impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let (mut reader, header) = open(file)?;
    let places: HashMap<&str, usize> =
        header.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let mut records = Vec::with_capacity(BATCH);
    let mut flush = |records: &mut Vec<StringRecord>| {
        let arrays =
            schema.fields().iter().map(|field| array(file, field, places[field.name().as_str()], records));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        records.clear();
        write(RecordBatch::try_new(schema.clone(), arrays).expect("columns of one length"))
    };
    each(file, &mut reader, |record| {
        records.push(record.clone());
        if records.len() == BATCH { flush(&mut records) } else { Ok(()) }
    })?;
    if records.is_empty() { Ok(()) } else { flush(&mut records) }
}

/// Opens a file, and returns the names of its columns.
fn open(file: &RawFile) -> Result<(Reader<File>, Vec<String>)> {
    let opened = File::open(&file.path).io_context("cannot open", &file.path)?;
    let mut reader = ReaderBuilder::new().delimiter(separator(file)?).trim(Trim::Headers).from_reader(opened);
    let header = reader.headers().map_err(|error| problem(file, &error))?;
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    if names.is_empty() {
        return Err(malformed(file, "the file is empty", "write a header with the names of the columns"));
    }
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            let help =
                "name every column in the first line; pandas writes no index with `to_csv(index=False)`";
            return Err(malformed(file, &format!("column {} has no name in the header", at + 1), help));
        }
        if let Some(other) = names[..at].iter().position(|known| known == name) {
            let problem = format!("columns {} and {} have the name `{name}`", other + 1, at + 1);
            return Err(malformed(file, &problem, "rename one of them in the first line"));
        }
    }
    Ok((reader, names))
}

/// Returns the separator: a tab in `.tsv` and `.tab`; else the most frequent one in the header.
fn separator(file: &RawFile) -> Result<u8> {
    if file.path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("csv")) {
        let header = first_line(file)?;
        let count = |separator: u8| {
            let mut quoted = false;
            let outside = |byte: &&u8| {
                quoted ^= **byte == b'"';
                !quoted && **byte == separator
            };
            header.iter().filter(outside).count()
        };
        // The first of equal counts wins, so a header of one column has a comma.
        return Ok(b",;\t".iter().copied().rev().max_by_key(|separator| count(*separator)).unwrap_or(b','));
    }
    Ok(b'\t')
}

/// Returns the first line that is not blank.
fn first_line(file: &RawFile) -> Result<Vec<u8>> {
    let opened = File::open(&file.path).io_context("cannot open", &file.path)?;
    let mut reader = BufReader::new(opened);
    let mut line = Vec::new();
    while line.trim_ascii().is_empty() {
        line.clear();
        if reader.read_until(b'\n', &mut line).io_context("cannot read", &file.path)? == 0 {
            break;
        }
    }
    Ok(line)
}

fn check_same(file: &RawFile, first: &[String], header: &[String]) -> Result<()> {
    let lacks = first.iter().find(|name| !header.contains(name));
    let surplus = header.iter().find(|name| !first.contains(name));
    let problem = match (lacks, surplus) {
        (None, None) => return Ok(()),
        (Some(name), _) => format!("the file lacks the column `{name}` of the first file"),
        (None, Some(name)) => format!("the file has the column `{name}`, which the first file lacks"),
    };
    Err(malformed(file, &problem, "files of one source must have equal columns"))
}

/// Calls `visit` with every record.
fn each(
    file: &RawFile,
    reader: &mut Reader<File>,
    mut visit: impl FnMut(&StringRecord) -> Result<()>,
) -> Result<()> {
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| problem(file, &error))? {
        visit(&record)?;
    }
    Ok(())
}

fn problem(file: &RawFile, error: &csv::Error) -> callsheet_worker::error::Error {
    let line = line(file, error.position());
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let problem = format!("line {line} has {len} fields, but the header has {expected_len}");
            malformed(file, &problem, "correct the line; a field that contains a separator needs quotes")
        }
        ErrorKind::Utf8 { .. } => {
            malformed(file, &format!("line {line} is not UTF-8"), "save the file as UTF-8")
        }
        _ => malformed(file, &format!("line {line}: {error}"), "correct the file"),
    }
}

/// Returns the line in which a record begins.
fn line(file: &RawFile, position: Option<&Position>) -> u64 {
    let Some(position) = position else { return 1 };
    // The reader does not count the line ends of old Macs, `\r`.
    if position.line() == 1 && position.record() > 0 {
        return position.record() + 1;
    }
    // It counts the second byte of `\r\n` with the next record.
    let mut end = [0; 2];
    let between = position.byte().checked_sub(1).is_some_and(|before| {
        File::open(&file.path).and_then(|file| file.read_exact_at(&mut end, before)).is_ok()
            && end == *b"\r\n"
    });
    position.line() + u64::from(between)
}

fn is_missing(value: &str) -> bool {
    MISSING.iter().any(|missing| value.eq_ignore_ascii_case(missing))
}

/// Returns the type of a value; `None` if it is missing.
fn kind_of(value: &str) -> Option<Kind> {
    let value = value.trim();
    if is_missing(value) {
        return None;
    }
    Some(if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
        Kind::Bool
    } else if is_code(value) {
        Kind::Digits
    } else if let Ok(number) = value.parse::<i64>() {
        Kind::of_integer(number)
    } else if value.parse::<f64>().is_ok_and(f64::is_finite) {
        Kind::Float
    } else {
        Kind::Text
    })
}

/// Returns true for digits that a number would not keep: leading zeros, as in postal codes, and more than 18 digits.
fn is_code(value: &str) -> bool {
    let digits = value.trim_start_matches(['+', '-']);
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() > 18 || digits.len() > 1 && digits.starts_with('0'))
}

/// Returns a column of some records.
fn array(file: &RawFile, field: &Field, at: usize, records: &[StringRecord]) -> Result<ArrayRef> {
    // Digits that become infinite, e.g. 1e400, are refused; a written infinity is not.
    let too_large =
        |value: &str, is_infinite: bool| is_infinite && value.contains(|c: char| c.is_ascii_digit());
    Ok(match field.data_type() {
        DataType::Int32 => Arc::new(Int32Array::from(numbers(file, field, at, records, |_, _| false)?)),
        DataType::Int64 => Arc::new(Int64Array::from(numbers(file, field, at, records, |_, _| false)?)),
        DataType::Float32 => {
            let wrong = |value: &str, number: f32| too_large(value, number.is_infinite());
            Arc::new(Float32Array::from(numbers(file, field, at, records, wrong)?))
        }
        DataType::Float64 => {
            let wrong = |value: &str, number: f64| too_large(value, number.is_infinite());
            Arc::new(Float64Array::from(numbers(file, field, at, records, wrong)?))
        }
        DataType::Boolean => {
            let truth = |record: &StringRecord| match record[at].trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                missing if is_missing(missing) => Ok(None),
                _ => Err(invalid(file, field, record, at)),
            };
            Arc::new(records.iter().map(truth).collect::<Result<BooleanArray>>()?)
        }
        _ => {
            let text = |record: &'_ StringRecord| Some(record[at].to_owned()).filter(|text| !text.is_empty());
            Arc::new(records.iter().map(text).collect::<StringArray>())
        }
    })
}

/// Returns the numbers of a column; none for a missing value.
fn numbers<T: std::str::FromStr + Copy>(
    file: &RawFile,
    field: &Field,
    at: usize,
    records: &[StringRecord],
    is_wrong: impl Fn(&str, T) -> bool,
) -> Result<Vec<Option<T>>> {
    let number = |record: &StringRecord| {
        let value = record[at].trim();
        if is_missing(value) {
            return Ok(None);
        }
        let parsed = value.parse().ok().filter(|number| !is_wrong(value, *number));
        parsed.map(Some).ok_or_else(|| invalid(file, field, record, at))
    };
    records.iter().map(number).collect()
}

fn invalid(
    file: &RawFile,
    field: &Field,
    record: &StringRecord,
    at: usize,
) -> callsheet_worker::error::Error {
    let (value, kind) = (record[at].chars().take(60).collect::<String>(), type_name(field.data_type()));
    let problem = format!(
        "`{value}` in line {}, column `{}`, is not a valid {kind}",
        line(file, record.position()),
        field.name()
    );
    malformed(file, &problem, "correct the value, or declare another type in `columns` of the source")
}
