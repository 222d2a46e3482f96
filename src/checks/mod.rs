//! Checks of a table's rows, as its stage declares them.

mod values;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result, suggest};
use callsheet_worker::table::{part_files, read_batches, row_count, row_digests, rows_at_once, schema};
use parquet::errors::ParquetError;

use crate::declare::{ChecksDecl, RowsCheck};
use values::{Faults, not_allowed, not_finite, nulls, out_of_range, value};

/// Number of rows that an error names.
const NAMED: usize = 5;

/// Remedy in errors.
const HELP: &str = "correct the stage and raise `version` in its stage.toml (with a reason under [history]), \
                    or correct the check under [outputs.NAME.checks]";

/// Runs the checks of single rows and of unique columns on the table at `path`. Errors name rows by the
/// column `key`, or by their number.
///
/// # Errors
/// Returns an error if the table cannot be read or a check fails. It names the check, the column and the
/// rows.
pub fn check_table(path: &Path, checks: &ChecksDecl, key: Option<&str>) -> Result<()> {
    check_values(path, checks, key)?;
    check_unique(&part_files(path)?, checks)
}

/// Runs the checks of single rows on every row of the table at `path`.
///
/// # Errors
/// Returns an error as [`check_table`] does.
pub fn check_values(path: &Path, checks: &ChecksDecl, key: Option<&str>) -> Result<()> {
    let unread = ChecksDecl { unique: BTreeSet::new(), rows: RowsCheck::default(), ..checks.clone() };
    if unread == ChecksDecl::default() {
        return Ok(());
    }
    let mut first = 0;
    read_batches(path, &[], rows_at_once(&part_files(path)?)?, |rows| -> Result<()> {
        check_rows(&rows, checks, key, first, path)?;
        first += rows.num_rows();
        Ok(())
    })
}

/// Runs the checks of single rows on `rows`; `first` is the number of the first row.
///
/// # Errors
/// Returns an error if a check fails, or names a column that does not exist.
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
        let faults = |found: Faults, check: &str| {
            let found = found.map_err(|error| {
                Error::user_error(
                    Code::Declaration,
                    format!("check `{check}`: column `{name}` of {}: {error}", path.display()),
                    HELP,
                )
            })?;
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
    Error::user_error(
        Code::Declaration,
        format!("{} has no column `{column}`, which a check names", path.display()),
        help,
    )
}

/// Checks that no two rows of a table have equal values in its unique columns; `files` are the parts of the
/// table.
///
/// # Errors
/// Returns an error if two rows have equal values, a column is missing, or a file cannot be read.
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
                let digests =
                    row_digests(&rows).map_err(ParquetError::from).io_context("cannot check", path)?;
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
            let message = format!("check `unique`: {twice} rows repeat the `{what}` of an earlier row");
            return Err(Error::user_error(
                Code::CheckFailed,
                format!("{message}: {}", shown(&examples, twice)),
                HELP,
            ));
        }
    }
    Ok(())
}

/// Checks the number of rows of a table; `input` returns the path of an input's table.
///
/// # Errors
/// Returns an error if the number is too large or too small, or the table of an input cannot be read.
pub fn check_count<'a>(
    rows: u64,
    checks: &RowsCheck,
    input: impl Fn(&str) -> Option<&'a Path>,
) -> Result<()> {
    let of = |name: &Option<String>| -> Result<Option<(u64, String)>> {
        let Some((name, path)) = name.as_deref().and_then(|name| Some((name, input(name)?))) else {
            return Ok(None);
        };
        Ok(Some((row_count(path)?, format!(", the number of rows of input `{name}`"))))
    };
    let plain = |count: Option<u64>| count.map(|count| (count, String::new()));
    let equal = of(&checks.equal)?;
    let most = [plain(checks.max), of(&checks.at_most)?, equal.clone()].into_iter().flatten();
    let least = [plain(checks.min), equal].into_iter().flatten();
    let over = most.filter(|(count, _)| rows > *count).map(|(count, of)| format!("at most {count}{of}"));
    let under = least.filter(|(count, _)| rows < *count).map(|(count, of)| format!("at least {count}{of}"));
    match over.chain(under).next() {
        Some(wanted) => Err(Error::user_error(
            Code::CheckFailed,
            format!("check `rows`: the table has {rows} rows, but must have {wanted}"),
            HELP,
        )),
        None => Ok(()),
    }
}

fn shown(examples: &[String], all: usize) -> String {
    let more =
        if all > examples.len() { format!("; and {} more", all - examples.len()) } else { String::new() };
    examples.join("; ") + &more
}

/// Names of the rows of a batch.
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
            Some(key) if key.is_valid(row) => format!("row `{}`", value(key, row)),
            _ => format!("row {}", self.first + row),
        };
        let examples: Vec<String> =
            found.iter().take(NAMED).map(|(row, what)| format!("{} is {what}", name(*row))).collect();
        let rows = self.rows.num_rows();
        let message =
            format!("check `{check}`: column `{column}` is wrong in {} of {rows} rows", found.len());
        Err(Error::user_error(
            Code::CheckFailed,
            format!("{message}: {}", shown(&examples, found.len())),
            HELP,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, FixedSizeListArray, Float32Array, Int64Array, ListArray, StringArray};
    use arrow::datatypes::{DataType, Field, Float64Type};

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
            "check `non_null`: column `n` is wrong in 1 of 3 rows: row `b` is null"
        );
        assert_eq!(
            said("range.n = { max = 5 }", None),
            "check `range`: column `n` is wrong in 1 of 3 rows: row 12 is 9, but the maximum is 5"
        );
        assert_eq!(
            said("finite = ['v']", Some("id")),
            "check `finite`: column `v` is wrong in 1 of 3 rows: row `b` is NaN"
        );
        assert_eq!(
            said("allowed.id = ['a', 'b']", Some("id")),
            "check `allowed`: column `id` is wrong in 1 of 3 rows: \
             row `c` is `c`, not one of the allowed values a, b"
        );
        assert!(said("range.m = { max = 5 }", None).contains("has no column `m`"));
        assert!(said("range.id = { max = 5 }", None).contains("type string has no range"));
    }

    #[test]
    fn valid_rows_pass_and_nulls_violate_only_non_null() {
        let checks = "non_null = ['id']\nrange.n = { min = 1, max = 9 }\nallowed.n = [1, 9]\nfinite = ['n']";
        assert_eq!(said(checks, None), "");
    }

    #[test]
    fn a_slice_of_lists_is_checked_without_the_rows_outside_it() {
        let lists = [vec![f64::NAN], vec![1.0, 2.0], vec![f64::NAN, 3.0]];
        let lists = lists.map(|list| Some(list.into_iter().map(Some).collect::<Vec<_>>()));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists));
        let rows = |from, count| not_finite(&lists.slice(from, count)).expect("floats");
        assert!(rows(1, 1).is_empty());
        assert_eq!(rows(1, 2), [(1, "NaN".to_owned())]);
    }
}
