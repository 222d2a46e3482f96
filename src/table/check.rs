//! Checks of a table's rows, as its stage declares them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;

use super::read::{read_batches, row_count, rows_at_once, schema};
use super::row_digests;
use crate::declare::{Bounds, ChecksDecl, RowsCheck};
use crate::error::{Doing, Error, Result, suggest};

/// Rows that a violation names.
const NAMED: usize = 5;

/// What is right, in errors.
const HELP: &str = "mend the stage, or the check under [outputs.NAME.checks] in its stage.toml";

/// Checks every row of the table at `path` and, if `whole`, what its rows are together; rows are named
/// by the column `key`, or by their number.
///
/// # Errors
/// When the table cannot be read, or a check does not hold: with its name, the column and the rows.
pub fn check_table(path: &Path, checks: &ChecksDecl, key: Option<&str>) -> Result<()> {
    if *checks == ChecksDecl::default() {
        return Ok(());
    }
    let mut first = 0;
    read_batches(path, &[], rows_at_once(&super::part_files(path)?)?, |rows| -> Result<()> {
        check_rows(&rows, checks, key, first, path)?;
        first += rows.num_rows();
        Ok(())
    })?;
    check_unique(&super::part_files(path)?, checks)
}

/// Checks what must hold of each row alone; `first` is the number of the first.
///
/// # Errors
/// When a check does not hold, or names a column that there is not.
pub fn check_rows(
    rows: &RecordBatch,
    checks: &ChecksDecl,
    key: Option<&str>,
    first: usize,
    path: &Path,
) -> Result<()> {
    let named = checks.range.keys().chain(checks.allowed.keys());
    let named = named.chain(checks.non_null.iter().chain(&checks.finite).filter(|name| *name != "*"));
    for column in named {
        if rows.column_by_name(column).is_none() {
            return Err(no_column(column, &rows.schema(), path));
        }
    }
    let names = Names { rows, key, first };
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let name = field.name();
        let faults = |found: Result<Vec<(usize, String)>, ArrowError>, check: &str| {
            let found = found.map_err(ParquetError::from).doing("cannot check", path)?;
            names.refuse(name, check, found)
        };
        if ChecksDecl::names(&checks.non_null, name) {
            faults(Ok(nulls(column)), "non_null")?;
        }
        if ChecksDecl::names(&checks.finite, name) {
            faults(not_finite(column), "finite")?;
        }
        if let Some(bounds) = checks.range.get(name) {
            faults(out_of_range(column, bounds), "range")?;
        }
        if let Some(allowed) = checks.allowed.get(name) {
            faults(not_allowed(column, allowed), "allowed")?;
        }
    }
    Ok(())
}

fn no_column(column: &str, schema: &arrow::datatypes::Schema, path: &Path) -> Error {
    let help = suggest(column, schema.fields().iter().map(|field| field.name().as_str()));
    Error::refused(format!("{} has no column `{column}`, which is to be checked", path.display()), help)
}

/// Checks that no two rows of a table of these files have the same key.
///
/// # Errors
/// When two have, or a column is missing.
pub fn check_unique(files: &[PathBuf], checks: &ChecksDecl) -> Result<()> {
    for columns in checks.keys() {
        let mut seen = HashSet::new();
        let (mut twice, mut examples) = (0, Vec::new());
        for path in files {
            let known = schema(path)?;
            if let Some(column) = columns.iter().find(|column| known.index_of(column).is_err()) {
                return Err(no_column(column, &known, path));
            }
            read_batches(path, &columns, 1 << 14, |rows| -> Result<()> {
                let digests = row_digests(&rows).map_err(ParquetError::from).doing("cannot check", path)?;
                for (row, digest) in digests.into_iter().enumerate() {
                    if !seen.insert(digest) {
                        twice += 1;
                        if examples.len() < NAMED {
                            let values = columns.iter().map(|name| value(&rows[*name], row));
                            examples.push(format!("`{}`", values.collect::<Vec<_>>().join(", ")));
                        }
                    }
                }
                Ok(())
            })?;
        }
        if twice > 0 {
            let what = columns.join(" + ");
            let message = format!("check `unique`: {twice} rows have the `{what}` of another row");
            return Err(Error::refused(format!("{message}: {}", shown(&examples, twice)), HELP));
        }
    }
    Ok(())
}

/// Checks how many rows a table has; `input` tells where a table that was read lies.
///
/// # Errors
/// When it has more or fewer, or a table cannot be read.
pub fn check_count<'a>(
    rows: u64,
    checks: &RowsCheck,
    input: impl Fn(&str) -> Option<&'a Path>,
) -> Result<()> {
    let of = |name: &Option<String>| -> Result<Option<(u64, String)>> {
        let Some((name, path)) = name.as_deref().and_then(|name| Some((name, input(name)?))) else {
            return Ok(None);
        };
        Ok(Some((row_count(path)?, format!(" that input `{name}` has"))))
    };
    let plain = |count: Option<u64>| count.map(|count| (count, String::new()));
    let equal = of(&checks.equal)?;
    let most = [plain(checks.max), of(&checks.at_most)?, equal.clone()].into_iter().flatten();
    let least = [plain(checks.min), equal].into_iter().flatten();
    let over = most.filter(|(count, _)| rows > *count).map(|(count, of)| format!("at most the {count}{of}"));
    let under =
        least.filter(|(count, _)| rows < *count).map(|(count, of)| format!("at least the {count}{of}"));
    match over.chain(under).next() {
        Some(wanted) => Err(Error::refused(
            format!("check `rows`: the table has {rows} rows, and is to have {wanted}"),
            HELP,
        )),
        None => Ok(()),
    }
}

fn shown(examples: &[String], all: usize) -> String {
    let more =
        if all > examples.len() { format!(" and {} more", all - examples.len()) } else { String::new() };
    examples.join("; ") + &more
}

/// How the rows of a batch are called.
struct Names<'a> {
    rows: &'a RecordBatch,
    key: Option<&'a str>,
    first: usize,
}

impl Names<'_> {
    fn refuse(&self, column: &str, check: &str, found: Vec<(usize, String)>) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let key = self.key.and_then(|key| self.rows.column_by_name(key));
        let name = |row: usize| match key {
            Some(key) => format!("row `{}`", value(key, row)),
            None => format!("row {}", self.first + row),
        };
        let examples: Vec<String> =
            found.iter().take(NAMED).map(|(row, what)| format!("{} is {what}", name(*row))).collect();
        let message = format!("check `{check}`: column `{column}` is wrong in {} rows", found.len());
        Err(Error::refused(format!("{message}: {}", shown(&examples, found.len())), HELP))
    }
}

/// A value as text.
fn value(column: &ArrayRef, row: usize) -> String {
    let text = cast(&column.slice(row, 1), &DataType::Utf8);
    text.ok()
        .filter(|text| text.is_valid(0))
        .map_or("null".into(), |t| t.as_string::<i32>().value(0).to_owned())
}

fn nulls(column: &ArrayRef) -> Vec<(usize, String)> {
    match column.logical_nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            (0..column.len()).filter(|row| nulls.is_null(*row)).map(|row| (row, "null".to_owned())).collect()
        }
        _ => Vec::new(),
    }
}

/// Rows of floats, or of vectors or lists of them, that hold NaN or an infinity.
fn not_finite(column: &ArrayRef) -> Result<Vec<(usize, String)>, ArrowError> {
    let (values, row_of): (ArrayRef, Box<dyn Fn(usize) -> usize>) = match column.data_type() {
        DataType::FixedSizeList(_, length) => {
            let (lists, length) = (column.as_fixed_size_list(), *length as usize);
            let values = lists.values().slice(lists.value_offset_at(0), lists.len() * length);
            (values, Box::new(move |at| at / length))
        }
        DataType::List(_) => {
            let offsets = column.as_list::<i32>().offsets().clone();
            let find = move |at: usize| offsets.partition_point(|end| *end as usize <= at) - 1;
            (column.as_list::<i32>().values().clone(), Box::new(find))
        }
        _ => (column.clone(), Box::new(|at| at)),
    };
    if !values.data_type().is_floating() {
        return Ok(Vec::new());
    }
    let floats = cast(&values, &DataType::Float64)?;
    let floats = floats.as_primitive::<Float64Type>();
    let mut found: Vec<(usize, String)> = Vec::new();
    for (at, number) in floats.values().iter().enumerate() {
        if !number.is_finite() && floats.is_valid(at) {
            let row = row_of(at);
            if row < column.len() && found.last().is_none_or(|(last, _)| *last != row) {
                found.push((row, number.to_string()));
            }
        }
    }
    Ok(found)
}

fn out_of_range(column: &ArrayRef, bounds: &Bounds) -> Result<Vec<(usize, String)>, ArrowError> {
    if !column.data_type().is_numeric() {
        let message = format!("a column of type {} has no range", super::type_name(column.data_type()));
        return Err(ArrowError::InvalidArgumentError(message));
    }
    let numbers = cast(column, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let outside = |number: f64| {
        let low = bounds.min.filter(|min| number.is_nan() || number < *min);
        let high = bounds.max.filter(|max| number.is_nan() || number > *max);
        match (low, high) {
            (Some(min), _) => Some(format!("{number}, not at least {min}")),
            (_, Some(max)) => Some(format!("{number}, not at most {max}")),
            _ => None,
        }
    };
    let rows = numbers.iter().enumerate();
    Ok(rows.filter_map(|(row, number)| Some((row, outside(number?)?))).collect())
}

fn not_allowed(column: &ArrayRef, allowed: &[serde_json::Value]) -> Result<Vec<(usize, String)>, ArrowError> {
    let plain = |value: &serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let allowed: Vec<String> = allowed.iter().map(plain).collect();
    let texts = cast(column, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let strange = |(row, text): (usize, Option<&str>)| {
        let text = text?;
        let known = allowed.iter().any(|value| value == text);
        (!known).then(|| (row, format!("`{text}`, none of {}", allowed.join(", "))))
    };
    Ok(texts.iter().enumerate().filter_map(strange).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{FixedSizeListArray, Float32Array, Int64Array, StringArray};
    use arrow::datatypes::Field;

    use super::*;

    fn table() -> RecordBatch {
        let vectors = FixedSizeListArray::new(
            Arc::new(Field::new("element", DataType::Float32, false)),
            2,
            Arc::new(Float32Array::from(vec![1.0, 2.0, f32::NAN, f32::INFINITY, 3.0, 4.0])),
            None,
        );
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
            ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(9)]))),
            ("v", Arc::new(vectors)),
        ];
        RecordBatch::try_from_iter(columns).expect("a table")
    }

    fn said(checks: &str, key: Option<&str>) -> String {
        let checks: ChecksDecl = toml::from_str(checks).expect("checks");
        let checked = check_rows(&table(), &checks, key, 10, Path::new("t.parquet"));
        checked.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_violation_names_the_check_the_column_the_rows_and_the_values() {
        assert_eq!(
            said("non_null = ['*']", Some("id")),
            "check `non_null`: column `n` is wrong in 1 rows: row `b` is null"
        );
        assert_eq!(
            said("range.n = { max = 5 }", None),
            "check `range`: column `n` is wrong in 1 rows: row 12 is 9, not at most 5"
        );
        assert_eq!(
            said("finite = ['v']", Some("id")),
            "check `finite`: column `v` is wrong in 1 rows: row `b` is NaN"
        );
        assert_eq!(
            said("allowed.id = ['a', 'b']", Some("id")),
            "check `allowed`: column `id` is wrong in 1 rows: row `c` is `c`, none of a, b"
        );
        assert!(said("range.m = { max = 5 }", None).contains("has no column `m`"));
        assert!(said("range.id = { max = 5 }", None).contains("type string has no range"));
    }

    #[test]
    fn what_holds_is_let_through_and_a_null_is_in_no_range() {
        let checks = "non_null = ['id']\nrange.n = { min = 1, max = 9 }\nallowed.n = [1, 9]\nfinite = ['n']";
        assert_eq!(said(checks, None), "");
    }
}
