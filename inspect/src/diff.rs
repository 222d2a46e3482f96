//! Comparison of two tables: rows by their key, columns by their distribution.

use std::fmt::Write;

use miette::{IntoDiagnostic, Result, miette};
use polars::prelude::*;
use serde::Serialize;

use crate::artifacts::suggest;
use crate::code;
use crate::drift::{Drift, drift};
use crate::exit::{DIFFERENT, SUCCESS};
use crate::frame::{collect, column, number, short};
use crate::output::Output;
use crate::statistics::type_name;
use crate::table::Table;

/// Largest number of keys that are printed for a kind of difference.
const NAMED: IdxSize = 5;

/// Suffix of the columns of B in a join with A. No name of a column ends with it.
const OTHER: &str = "\u{0}b";

#[derive(Serialize)]
struct Difference<'a> {
    a: &'a str,
    b: &'a str,
    key: &'a str,
    rows: (u64, u64),
    added: Rows,
    removed: Rows,
    changed: Rows,
    /// Number of rows that changed in a column, by column.
    changed_columns: Vec<(String, u64)>,
    /// Differences between the columns: missing in one table, or of another type.
    schema: Vec<String>,
    drift: Vec<Drift>,
}

#[derive(Serialize)]
struct Rows {
    count: u64,
    first: Vec<String>,
}

/// Prints the differences. Returns [`DIFFERENT`] if there are any. With `max_psi`, returns it only if the
/// tables have different columns, or a column's population stability index exceeds `max_psi`.
///
/// # Errors
/// Returns an error if a table cannot be read, or no column identifies its rows.
pub(crate) fn show(
    tables: &[Table; 2],
    key: Option<&str>,
    max_psi: Option<f64>,
    output: &Output,
) -> Result<u8> {
    let key = key_of(tables, key)?;
    let [a, b] = tables;
    let (mut shared, schema) = shared(a, b);
    shared.retain(|name| name != key);
    let [left, right] = [digests(a, key, &shared)?.lazy(), digests(b, key, &shared)?.lazy()];
    let only = |of: &LazyFrame, other: &LazyFrame| {
        let anti = JoinArgs::new(JoinType::Anti);
        rows(of.clone().join(other.clone(), [column(key)], [column(key)], anti), key)
    };
    let inner = JoinArgs { suffix: Some(OTHER.into()), ..JoinArgs::new(JoinType::Inner) };
    let both = left.clone().join(right.clone(), [column(key)], [column(key)], inner);
    let both = collect(both)?.lazy();
    let differs = |name: &str| column(name).neq_missing(column(&format!("{name}{OTHER}")));
    let any = shared.iter().map(|name| differs(name)).reduce(Expr::or).unwrap_or_else(|| lit(false));
    let counts = shared.iter().map(|name| differs(name).sum().cast(DataType::Float64).alias(name.as_str()));
    let counts = collect(both.clone().select(counts.collect::<Vec<_>>()))?;
    let counts = shared
        .iter()
        .zip(0..)
        .map(|(name, at)| (name.clone(), number(&counts, at).unwrap_or_default() as u64));
    let changed_columns = counts.filter(|(_, count)| *count > 0).collect();
    let mut drifts = Vec::new();
    for name in &shared {
        if let Some(kind) = a.schema.get(name.as_str()) {
            drifts.extend(drift([&a.scan()?, &b.scan()?], name, kind)?);
        }
    }
    let difference = Difference {
        a: &a.name,
        b: &b.name,
        key,
        rows: (a.rows(), b.rows()),
        added: only(&right, &left)?,
        removed: only(&left, &right)?,
        changed: rows(both.filter(any), key)?,
        changed_columns,
        schema,
        drift: drifts,
    };
    output.answer(text(&difference).trim_end(), &difference)?;
    let same = difference.added.count + difference.removed.count + difference.changed.count == 0
        && difference.schema.is_empty();
    let within =
        |max: f64| difference.schema.is_empty() && difference.drift.iter().all(|drift| drift.psi <= max);
    Ok(if max_psi.map_or(same, within) { SUCCESS } else { DIFFERENT })
}

/// Column that identifies the rows of both tables: the user's choice, else the key in the footer of A, else
/// the first column with distinct values whose name ends in `id`.
fn key_of<'a>(tables: &'a [Table; 2], said: Option<&'a str>) -> Result<&'a str> {
    let [a, b] = tables;
    let known: Vec<&str> = a.schema.iter_names().map(|name| name.as_str()).collect();
    if let Some(key) = said.or_else(|| a.key()) {
        for table in tables {
            if !table.schema.contains(key) {
                return Err(miette!(
                    code = code::UNKNOWN_NAME,
                    help = suggest(key, &known),
                    "`{}` has no column `{key}`",
                    table.name
                ));
            }
            if !tells_apart(table, key)? {
                return Err(miette!(
                    code = code::UNSUPPORTED,
                    help = format!("name another column with --key; columns: {}", known.join(", ")),
                    "`{key}` does not identify the rows of `{}`: some values are duplicates or null",
                    table.name
                ));
            }
        }
        return Ok(key);
    }
    for key in known.iter().filter(|name| name.ends_with("id") && b.schema.contains(name)) {
        if tells_apart(a, key)? && tells_apart(b, key)? {
            return Ok(key);
        }
    }
    Err(miette!(
        code = code::MISSING_ARGUMENT,
        help = format!("name a column with --key; columns: {}", known.join(", ")),
        "no column is known to identify the rows of `{}`",
        a.name
    ))
}

fn tells_apart(table: &Table, key: &str) -> Result<bool> {
    let counts =
        [column(key).n_unique(), column(key).null_count()].map(|count| count.cast(DataType::Float64));
    let [distinct, nulls] = counts;
    let counted = collect(table.scan()?.select([distinct.alias("distinct"), nulls.alias("nulls")]))?;
    Ok(number(&counted, 0).unwrap_or_default() as u64 == table.rows() && number(&counted, 1) == Some(0.0))
}

/// Columns that both tables have with equal types, and the other differences between the schemas.
fn shared(a: &Table, b: &Table) -> (Vec<String>, Vec<String>) {
    let (mut shared, mut faults) = (Vec::new(), Vec::new());
    for (name, kind) in a.schema.iter() {
        match b.schema.get(name) {
            None => faults.push(format!("`{name}` is only in A")),
            Some(other) if other != kind => {
                faults.push(format!("`{name}` is {} in A and {} in B", type_name(kind), type_name(other)));
            }
            Some(_) => shared.push(name.to_string()),
        }
    }
    let new = b.schema.iter_names().filter(|name| a.schema.get(name).is_none());
    faults.extend(new.map(|name| format!("`{name}` is only in B")));
    (shared, faults)
}

/// Keys of a table, and hashes of the values of other columns. The comparison needs no more in memory.
fn digests(table: &Table, key: &str, columns: &[String]) -> Result<DataFrame> {
    let hash = |name: &String| {
        let value = match table.schema.get(name.as_str()) {
            Some(DataType::Array(inner, _)) => column(name).cast(DataType::List(inner.clone())),
            _ => column(name),
        };
        value.hash(0, 1, 2, 3).alias(name.as_str())
    };
    let selected: Vec<Expr> = std::iter::once(column(key)).chain(columns.iter().map(hash)).collect();
    collect(table.scan()?.select(selected))
}

fn rows(found: LazyFrame, key: &str) -> Result<Rows> {
    let keys = collect(found.select([column(key).cast(DataType::String)]))?;
    let count = keys.height() as u64;
    let first = collect(keys.lazy().sort([key], SortMultipleOptions::default()).limit(NAMED))?;
    let texts = first.columns()[0].str().into_diagnostic()?.clone();
    Ok(Rows { count, first: texts.iter().flatten().map(str::to_owned).collect() })
}

fn text(found: &Difference) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "A {} ({} rows)\nB {} ({} rows)\n", found.a, found.rows.0, found.b, found.rows.1);
    found.schema.iter().for_each(|fault| _ = writeln!(text, "columns    {fault}"));
    for (name, rows) in [("added", &found.added), ("removed", &found.removed), ("changed", &found.changed)] {
        let more = rows.count.saturating_sub(rows.first.len() as u64);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let which = if rows.count > 0 { format!(": {}{more}", rows.first.join(", ")) } else { String::new() };
        let _ = writeln!(text, "{name:<9} {:>8} rows{which}", rows.count);
    }
    found.changed_columns.iter().for_each(|(name, count)| _ = writeln!(text, "  in {name}: {count} rows"));
    if !found.drift.is_empty() {
        let width = found.drift.iter().map(|drift| drift.column.len()).max().unwrap_or(0);
        let _ =
            writeln!(text, "\n{:<width$}  {:>8}  mean A → B, 5 / 50 / 95 % quantiles A → B", "column", "PSI");
        for Drift { column, psi, a, b } in &found.drift {
            let moved = match (a, b) {
                (Some(a), Some(b)) => {
                    let quantiles =
                        |m: &crate::statistics::Moments| [m.q05, m.q50, m.q95].map(short).join(" / ");
                    format!("{} → {}, {} → {}", short(a.mean), short(b.mean), quantiles(a), quantiles(b))
                }
                _ => String::new(),
            };
            let _ = writeln!(text, "{column:<width$}  {psi:>8.4}  {moved}");
        }
    }
    text
}
