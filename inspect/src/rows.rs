//! Selection of rows of a table.

use std::collections::BTreeSet;
use std::ops::Range;

use miette::{IntoDiagnostic, Result, miette};
use polars::error::PolarsError;
use polars::prelude::*;
use polars::sql::SQLContext;

use crate::artifacts::suggest;
use crate::code;
use crate::frame::{collect, number, row_number, scan};
use crate::sql::explained;
use crate::table::Table;

/// Selected rows of a table, with the selection.
pub(crate) struct Chosen {
    /// Selected rows.
    pub frame: LazyFrame,
    /// Names of the selected columns.
    pub columns: Vec<String>,
    filter: Option<String>,
}

/// Selects the rows of a table for which `filter` is true, and the named columns (all if none is named).
///
/// # Errors
/// Returns an error if the filter is not a valid expression, or a column does not exist.
pub(crate) fn chosen(table: &Table, filter: Option<&str>, columns: &[String]) -> Result<Chosen> {
    let all: Vec<String> = table.schema.iter_names().map(|name| name.to_string()).collect();
    if let Some(unknown) = columns.iter().find(|column| !all.contains(column)) {
        return Err(miette!(
            code = code::UNKNOWN_NAME,
            help = suggest(unknown, &all),
            "`{}` has no column `{unknown}`",
            table.name
        ));
    }
    let known = [(table.name.clone(), all.clone())];
    let filter = filter.map(str::to_owned);
    let frame = filtered(table.scan()?, filter.as_deref()).map_err(|error| {
        // The position in the error refers to the query that contains the filter.
        match filter.as_deref().filter(|_| error.to_string().starts_with("sql parser error")) {
            Some(filter) => miette!(
                code = code::INVALID_VALUE,
                help = "write a complete condition, e.g. --where 'cluster = 3'",
                "--where `{filter}` is not a valid SQL condition"
            ),
            None => explained(&error, &[], &known, &[]),
        }
    })?;
    let columns = if columns.is_empty() { all } else { columns.to_vec() };
    let frame = frame.select([by_name(&columns, true, false).as_expr()]);
    Ok(Chosen { frame, columns, filter })
}

impl Chosen {
    /// Returns true if a filter was applied.
    pub(crate) fn filtered(&self) -> bool {
        self.filter.is_some()
    }
}

/// Number of rows.
///
/// # Errors
/// Returns an error if the rows cannot be counted.
pub(crate) fn count(frame: &LazyFrame) -> Result<u64> {
    let counted = collect(frame.clone().select([len()]))?;
    Ok(number(&counted, 0).unwrap_or_default() as u64)
}

/// Rows for which an expression is true. The expression is parsed as part of a query, because alone, a column
/// with the name of a clause (`cluster`) would be parsed as this clause.
fn filtered(frame: LazyFrame, filter: Option<&str>) -> Result<LazyFrame, PolarsError> {
    let Some(filter) = filter else { return Ok(frame) };
    let mut context = SQLContext::new();
    context.register("self", frame);
    let mut frame = context.execute(&format!("select * from self where ({filter})"))?;
    frame.collect_schema()?;
    Ok(frame)
}

/// First rows in the order of the key. Each file is sorted by the key, so without a filter the first rows of
/// each file suffice.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub(crate) fn head(table: &Table, chosen: &Chosen, count: usize) -> Result<LazyFrame> {
    let count = row_number(count);
    let key = table.key().filter(|_| table.parts.len() > 1);
    let Some(key) = key else { return Ok(chosen.frame.clone().limit(count)) };
    let rows = match &chosen.filter {
        Some(filter) => filtered(table.scan()?, Some(filter)).into_diagnostic()?,
        None => {
            let files = table.parts.iter().map(|part| {
                let rows = scan([part.path.as_path()].into_iter())?;
                Ok(rows.limit(count))
            });
            concat(files.collect::<Result<Vec<_>>>()?, UnionArgs::default()).into_diagnostic()?
        }
    };
    let first = rows.sort([key], SortMultipleOptions::default()).limit(count);
    Ok(first.select([by_name(&chosen.columns, true, false).as_expr()]))
}

/// Largest number of contiguous stretches of drawn rows that are read one by one, without the rest of the
/// table.
const STRETCHES: usize = 64;

/// `count` random rows in the order of the table, determined by `seed`. `filtered` is true if `frame` is a
/// filtered table; then the positions of its rows are known only after reading.
///
/// # Errors
/// Returns an error if a row cannot be read.
pub(crate) fn sample(frame: &LazyFrame, filtered: bool, count: usize, seed: u64) -> Result<LazyFrame> {
    let drawn = draw(self::count(frame)?, count as u64, seed);
    let stretches = runs(&drawn);
    if stretches.is_empty() {
        return Ok(frame.clone().limit(0));
    }
    if filtered || stretches.len() > STRETCHES {
        let numbers: Vec<IdxSize> = drawn.iter().map(|at| *at as IdxSize).collect();
        let numbers = lit(Series::new("drawn".into(), numbers)).implode(true);
        let rows = frame.clone().with_row_index("\u{0}row", None);
        let rows = rows.filter(col("\u{0}row").is_in(numbers, false));
        return Ok(rows.drop(by_name(["\u{0}row"], true, false)));
    }
    let read = |run: Range<u64>| {
        let rows = frame.clone().slice(run.start as i64, (run.end - run.start) as IdxSize);
        Ok(collect(rows)?.lazy())
    };
    let rows = stretches.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    concat(rows, UnionArgs::default()).into_diagnostic()
}

/// `count` random numbers below `all`, distinct and increasing: Floyd's algorithm on a splitmix64 stream.
fn draw(all: u64, count: u64, seed: u64) -> BTreeSet<u64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    let mut drawn = BTreeSet::new();
    for last in all.saturating_sub(count)..all {
        let at = next() % (last + 1);
        if !drawn.insert(at) {
            drawn.insert(last);
        }
    }
    drawn
}

fn runs(numbers: &BTreeSet<u64>) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for &at in numbers {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_distinct_rows_in_range_and_depends_only_on_its_seed() {
        let drawn = draw(1000, 50, 7);
        assert_eq!((drawn.len(), drawn.clone()), (50, draw(1000, 50, 7)));
        assert!(drawn.iter().all(|n| *n < 1000) && drawn != draw(1000, 50, 8));
        assert_eq!(draw(3, 50, 7), BTreeSet::from([0, 1, 2]));
        assert_eq!(runs(&BTreeSet::from([1, 2, 3, 7])), [1..4, 7..8]);
    }
}
