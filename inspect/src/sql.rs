//! Queries over tables by name.

use std::collections::BTreeSet;
use std::path::Path;

use miette::{IntoDiagnostic, Result, miette};
use polars::error::PolarsError;
use polars::prelude::LazyFrame;
use polars::sql::SQLContext;

use crate::artifacts::{Artifacts, TargetArgs, suggest};
use crate::code;
use crate::table::{Table, open};

/// Query over tables.
pub(crate) struct Question<'a> {
    /// Query in SQL.
    pub query: &'a str,
    /// Tables as named on the command line.
    pub tables: &'a [String],
    /// Pipeline whose artifacts the query may name.
    pub which: &'a TargetArgs,
}

/// Plans a query, without reading rows.
///
/// # Errors
/// Returns an error if the query is not valid SQL, or names an unknown table or column. The help lists the
/// known names.
pub(crate) fn ask(question: &Question) -> Result<LazyFrame> {
    let mut context = SQLContext::new();
    let mut known = Vec::new();
    let mut artifacts: Option<Artifacts> = None;
    for (number, named) in question.tables.iter().enumerate() {
        let (alias, name) = alias_of(named);
        let frame = open(name, question.which, &mut artifacts)?.scan()?;
        if known.iter().any(|known| known == alias) {
            return Err(miette!(
                code = code::CONFLICT,
                help = "give the tables different names: a=one.parquet b=other.parquet",
                "two tables have the name `{alias}`"
            ));
        }
        known.push(alias.to_owned());
        context.register(alias, frame.clone());
        if number == 0 && alias != "self" {
            context.register("self", frame);
        }
    }
    // Only artifacts that the query may mean are registered. Outside of a project there are none.
    let mut absent = Vec::new();
    if question.tables.is_empty() || context.execute(question.query).is_err() {
        match question.which.artifacts(None) {
            Ok(found) => absent = register(&mut context, &mut known, &found, question.query)?,
            Err(error) if question.tables.is_empty() => return Err(error),
            Err(_) => {}
        }
    }
    let words = words(question.query);
    let named = context.get_tables();
    let frames = named.iter().filter(|name| words.contains(name.as_str()));
    let columns = frames.map(|name| Ok((name.clone(), columns_of(&mut context, name)?)));
    let columns: Vec<(String, Vec<String>)> = columns.collect::<Result<_>>()?;
    let mut frame =
        context.execute(question.query).map_err(|error| explained(&error, &known, &columns, &absent))?;
    frame.collect_schema().map_err(|error| explained(&error, &known, &columns, &absent))?;
    Ok(frame)
}

fn columns_of(context: &mut SQLContext, table: &str) -> Result<Vec<String>> {
    let mut frame = context.execute(&format!("select * from \"{table}\"")).into_diagnostic()?;
    let schema = frame.collect_schema().into_diagnostic()?;
    Ok(schema.iter_names().map(|name| name.to_string()).collect())
}

/// Name and path of a table on the command line: `name=path`, or a path whose last part is the name.
fn alias_of(named: &str) -> (&str, &str) {
    let plain = |alias: &str| !alias.is_empty() && alias.chars().all(|c| c.is_alphanumeric() || c == '_');
    match named.split_once('=').filter(|(alias, _)| plain(alias)) {
        Some((alias, path)) if !Path::new(named).exists() => (alias, path),
        _ => {
            let last = named.trim_end_matches('/').rsplit('/').next().unwrap_or(named);
            (last.trim_end_matches(".parquet"), named)
        }
    }
}

/// Words of a query, and its quoted texts in full.
fn words(query: &str) -> BTreeSet<&str> {
    let plain = query.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    plain.chain(query.split('"')).collect()
}

/// Registers the artifacts that a query may mean. Returns the names of artifacts that are not computed yet.
fn register(
    context: &mut SQLContext,
    known: &mut Vec<String>,
    artifacts: &Artifacts,
    query: &str,
) -> Result<Vec<String>> {
    let words = words(query);
    let named = context.get_tables();
    let mut absent = Vec::new();
    known.extend(artifacts.shortest().into_iter().map(str::to_owned));
    for artifact in artifacts.iter() {
        for alias in artifacts.aliases(artifact) {
            let meant = words.contains(alias) || alias.contains('.') && query.contains(alias);
            if !meant || named.iter().any(|name| name == alias) {
                continue;
            }
            match &artifact.path {
                Some(path) => context.register(alias, Table::open(alias, path, Vec::new())?.scan()?),
                None => absent.push(alias.to_owned()),
            }
        }
    }
    Ok(absent)
}

/// Error of a query, with the known names as its help.
pub(crate) fn explained(
    error: &PolarsError,
    known: &[String],
    columns: &[(String, Vec<String>)],
    absent: &[String],
) -> miette::Report {
    let said = error.to_string();
    let said = said.lines().next().unwrap_or_default().to_owned();
    let quoted = said.split(['\'', '"', '`']).nth(1).unwrap_or_default().to_owned();
    if said.contains("unable to find column") {
        let all: Vec<&str> = columns.iter().flat_map(|(_, names)| names.iter().map(String::as_str)).collect();
        let lists =
            columns.iter().map(|(table, names)| format!("use a column of `{table}`: {}", names.join(", ")));
        let lists = lists.collect::<Vec<_>>().join("\n");
        let near = suggest(&quoted, &all);
        let near = near.split(" (known").next().filter(|near| near.starts_with("did")).unwrap_or_default();
        return miette!(
            code = code::UNKNOWN_NAME,
            help = format!("{near}\n{lists}").trim().to_owned(),
            "unknown column `{quoted}`"
        );
    }
    if said.contains("relation") || said.contains("no table") {
        return match absent.contains(&quoted) {
            true => miette!(
                code = code::NOT_COMPUTED,
                help = "run `callsheet plan` to see the stage that computes it",
                "`{quoted}` has not been computed with the current inputs and parameters"
            ),
            false if quoted.is_empty() => miette!(code = code::UNKNOWN_NAME, "{said}"),
            false => {
                miette!(code = code::UNKNOWN_NAME, help = suggest(&quoted, known), "unknown table `{quoted}`")
            }
        };
    }
    if said.contains("one statement") {
        return miette!(
            code = code::INVALID_VALUE,
            help = "write one `select` statement",
            "the query does not consist of exactly one statement"
        );
    }
    miette!(
        code = code::INVALID_VALUE,
        help = "use the SQL of polars: select .. from .. where .. group by .. order by .. limit ..",
        "{said}"
    )
}
