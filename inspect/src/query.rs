//! The rows that are asked for.

use std::collections::BTreeSet;
use std::ops::Range;

use miette::{IntoDiagnostic, Result, miette};
use polars::error::PolarsError;
use polars::prelude::{IdxSize, LazyFrame, SortMultipleOptions, UnionArgs, col, concat};
use polars::sql::SQLContext;

use crate::artifacts::{Artifacts, Which, suggest};
use crate::output::collect;
use crate::table::{Table, open, scan};

/// A query over tables.
pub struct Question<'a> {
    /// SQL.
    pub query: &'a str,
    /// Tables as named on the command line.
    pub tables: &'a [String],
    /// Where artifacts are looked for.
    pub which: &'a Which,
}

/// Rows of a table, and how they were chosen.
pub struct Chosen {
    /// The rows.
    pub frame: LazyFrame,
    /// Whether some were left out.
    pub filtered: bool,
    /// The columns that are shown.
    pub columns: Vec<String>,
    filter: Option<String>,
}

/// Answers a query; nothing is read yet.
///
/// # Errors
/// When the query is no SQL, or names a table or column that there is not: those that there are are
/// listed.
pub fn ask(question: &Question) -> Result<LazyFrame> {
    let mut context = SQLContext::new();
    let mut known = Vec::new();
    let mut artifacts: Option<Artifacts> = None;
    for (number, named) in question.tables.iter().enumerate() {
        let (alias, name) = named.split_once('=').unwrap_or(("", named));
        let table = open(name, question.which, &mut artifacts)?;
        let frame = table.scan()?;
        let stem = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".parquet");
        let mut aliases = BTreeSet::from([if alias.is_empty() { stem } else { alias }]);
        if number == 0 {
            aliases.insert("self");
        }
        for alias in aliases {
            context.register(alias, frame.clone());
            known.push(alias.to_owned());
        }
    }
    // Artifacts, as far as the query may mean them; outside of a project there are none.
    match question.which.artifacts(None) {
        Ok(found) => register(&mut context, &mut known, &found, question.query)?,
        Err(error) if question.tables.is_empty() => return Err(error),
        Err(_) => {}
    }
    let words = words(question.query);
    let named = context.get_tables();
    let frames = named.iter().filter(|name| words.contains(name.as_str()));
    let columns = frames.map(|name| Ok((name.clone(), columns_of(&mut context, name)?)));
    let columns: Vec<(String, Vec<String>)> = columns.collect::<Result<_>>()?;
    let mut frame = context.execute(question.query).map_err(|error| explained(&error, &known, &columns))?;
    frame.collect_schema().map_err(|error| explained(&error, &known, &columns))?;
    Ok(frame)
}

fn columns_of(context: &mut SQLContext, table: &str) -> Result<Vec<String>> {
    let mut frame = context.execute(&format!("select * from \"{table}\"")).into_diagnostic()?;
    let schema = frame.collect_schema().into_diagnostic()?;
    Ok(schema.iter_names().map(|name| name.to_string()).collect())
}

/// The names in a text, and the quoted ones whole.
fn words(query: &str) -> BTreeSet<&str> {
    let plain = query.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    plain.chain(query.split('"')).collect()
}

fn register(
    context: &mut SQLContext,
    known: &mut Vec<String>,
    artifacts: &Artifacts,
    query: &str,
) -> Result<()> {
    let words = words(query);
    let named = context.get_tables();
    known.extend(artifacts.shortest().into_iter().map(str::to_owned));
    for artifact in artifacts.iter() {
        for alias in artifacts.aliases(artifact) {
            if named.contains(&alias.to_owned()) {
                continue;
            }
            let dotted = alias.contains('.') && query.contains(alias);
            if words.contains(alias) || dotted {
                let (_, path) = artifacts.find(alias)?;
                context.register(alias, Table::open(alias, path, Vec::new())?.scan()?);
            }
        }
    }
    Ok(())
}

/// What is wrong with a query, and which names there are.
fn explained(error: &PolarsError, known: &[String], columns: &[(String, Vec<String>)]) -> miette::Report {
    let said = error.to_string();
    let said = said.lines().next().unwrap_or_default().to_owned();
    let quoted = said.split(['\'', '"', '`']).nth(1).unwrap_or_default().to_owned();
    if said.contains("unable to find column") {
        let all: Vec<&str> = columns.iter().flat_map(|(_, names)| names.iter().map(String::as_str)).collect();
        let lists = columns.iter().map(|(table, names)| format!("{table}: {}", names.join(", ")));
        let lists = lists.collect::<Vec<_>>().join("\n");
        let near = suggest(&quoted, &all);
        let near = near.split(" (known").next().filter(|near| near.starts_with("did")).unwrap_or_default();
        return miette!(help = format!("{near}\n{lists}").trim().to_owned(), "{said}");
    }
    if said.contains("relation") || said.contains("no table") {
        return miette!(help = suggest(&quoted, known), "{said}");
    }
    miette!(
        help = "SQL as polars speaks it: select .. from .. where .. group by .. order by .. limit ..",
        "{said}"
    )
}

/// The rows of a table of which an expression is true, with the columns named.
///
/// # Errors
/// When the expression is none, or there is no such column.
pub fn chosen(table: &Table, filter: Option<&str>, columns: &[String]) -> Result<Chosen> {
    let all: Vec<String> = table.schema.iter_names().map(|name| name.to_string()).collect();
    if let Some(unknown) = columns.iter().find(|column| !all.contains(column)) {
        return Err(miette!(help = suggest(unknown, &all), "`{}` has no column `{unknown}`", table.name));
    }
    let known = [(table.name.clone(), all.clone())];
    let filter = filter.map(str::to_owned);
    let frame = filtered(table.scan()?, filter.as_deref()).map_err(|error| explained(&error, &[], &known))?;
    let columns = if columns.is_empty() { all } else { columns.to_vec() };
    let frame = frame.select(columns.iter().map(|name| col(name.as_str())).collect::<Vec<_>>());
    Ok(Chosen { frame, filtered: filter.is_some(), columns, filter })
}

/// Rows of which an expression is true. As part of a query: alone, a column that is called as a clause
/// (`cluster`) would be taken for one.
fn filtered(frame: LazyFrame, filter: Option<&str>) -> Result<LazyFrame, PolarsError> {
    let Some(filter) = filter else { return Ok(frame) };
    let mut context = SQLContext::new();
    context.register("self", frame);
    let mut frame = context.execute(&format!("select * from self where ({filter})"))?;
    frame.collect_schema()?;
    Ok(frame)
}

/// The first rows by their key: each file is sorted by it.
///
/// # Errors
/// When a file cannot be read.
pub fn head(table: &Table, chosen: &Chosen, count: usize) -> Result<LazyFrame> {
    let key = table.key().filter(|_| table.parts.len() > 1);
    let Some(key) = key else { return Ok(chosen.frame.clone().limit(count as IdxSize)) };
    let files = table.parts.iter().map(|part| {
        let frame = scan([part.path.as_path()].into_iter())?;
        let frame = filtered(frame, chosen.filter.as_deref()).into_diagnostic()?;
        Ok(frame.limit(count as IdxSize))
    });
    let heads = concat(files.collect::<Result<Vec<_>>>()?, UnionArgs::default()).into_diagnostic()?;
    let first = heads.sort([key], SortMultipleOptions::default()).limit(count as IdxSize);
    Ok(first.select(chosen.columns.iter().map(|name| col(name.as_str())).collect::<Vec<_>>()))
}

/// Rows drawn by chance, in their order: as many, the same for the same seed.
///
/// # Errors
/// When the rows cannot be counted.
pub fn sample(frame: &LazyFrame, count: usize, seed: u64) -> Result<LazyFrame> {
    let counted = collect(frame.clone().select([polars::prelude::len()]))?;
    let all = counted.columns()[0].get(0).into_diagnostic()?.extract::<u64>().unwrap_or_default();
    let runs = runs(draw(all, count as u64, seed));
    let slices: Vec<LazyFrame> = runs
        .into_iter()
        .map(|run| frame.clone().slice(run.start as i64, (run.end - run.start) as IdxSize))
        .collect();
    if slices.is_empty() {
        return Ok(frame.clone().limit(0));
    }
    concat(slices, UnionArgs::default()).into_diagnostic()
}

/// `count` of the numbers below `all`, increasing: Floyd's algorithm on a splitmix64 stream.
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

fn runs(numbers: BTreeSet<u64>) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for at in numbers {
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
    fn a_draw_is_of_different_numbers_in_range_and_the_same_for_the_same_seed() {
        let drawn = draw(1000, 50, 7);
        assert_eq!((drawn.len(), drawn.clone()), (50, draw(1000, 50, 7)));
        assert!(drawn.iter().all(|n| *n < 1000) && drawn != draw(1000, 50, 8));
        assert_eq!(draw(3, 50, 7), BTreeSet::from([0, 1, 2]));
        assert_eq!(runs(BTreeSet::from([1, 2, 3, 7])), [1..4, 7..8]);
    }
}
