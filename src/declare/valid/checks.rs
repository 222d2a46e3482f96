//! Checks of outputs against the rest of the declaration.

use std::ops::Range;
use std::sync::Arc;

use callsheet_worker::error::{Fault, Result, SourceText, suggest};

use crate::declare::artifact::{ArtifactKind, OutputDecl};
use crate::declare::checks::ChecksDecl;
use crate::declare::origin::is_name;
use crate::declare::stage_file::StageFile;

/// Checks the checks of every output against the rest of the declaration.
pub(super) fn check(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    for (name, output) in &file.outputs {
        check_output(file, name.get_ref(), name.span(), output, source)?;
    }
    Ok(())
}

/// A message and a remedy.
type Refusal = Option<(String, String)>;

fn check_output(
    file: &StageFile,
    name: &str,
    span: Range<usize>,
    output: &OutputDecl,
    source: &Arc<SourceText>,
) -> Result<()> {
    let checks = &output.checks;
    let of_table = (*checks != ChecksDecl::default() && output.kind != ArtifactKind::Table).then(|| {
        let help = "only the rows and columns of a table can be checked".to_owned();
        (format!("output `{name}` has checks but is not a table"), help)
    });
    let refusal = of_table
        .or_else(|| unknown_column(name, output))
        .or_else(|| unfit_column(name, output))
        .or_else(|| impossible_values(name, checks))
        .or_else(|| impossible_rows(file, name, checks));
    match refusal {
        Some((message, help)) => {
            Err(Fault::new(source, span, message, "of this output").with_help(help).into())
        }
        None => Ok(()),
    }
}

fn unknown_column(name: &str, output: &OutputDecl) -> Refusal {
    let stranger = |column: &str| match output.columns.is_empty() {
        true => !is_name(column),
        false => !output.columns.contains_key(column),
    };
    let (check, column) = output.checks.columns().find(|(_, column)| stranger(column))?;
    let message =
        format!("checks.{check} of output `{name}` names the column {column:?}, which it does not have");
    Some((message, suggest(column, output.columns.keys().map(String::as_str))))
}

/// A column whose type the check is not for.
fn unfit_column(name: &str, output: &OutputDecl) -> Refusal {
    let unfit = |columns: Vec<&String>, fits: fn(&str) -> bool| {
        let of_type = |name: &String| Some((name.clone(), output.columns.get(name)?.clone()));
        columns.into_iter().filter_map(of_type).find(|(_, kind)| !fits(kind))
    };
    let floats = |kind: &str| kind.contains("float");
    let numbers = |kind: &str| ["int32", "int64", "float32", "float64"].contains(&kind);
    if let Some((column, kind)) = unfit(output.checks.finite.iter().collect(), floats) {
        let help = "name columns of floats, or of vectors or lists of them; `*` is all that are".to_owned();
        return Some((format!("checks.finite of output `{name}` names `{column}`, which is {kind}"), help));
    }
    let (column, kind) = unfit(output.checks.range.keys().collect(), numbers)?;
    let help = "only a column of single numbers has a range".to_owned();
    Some((format!("checks.range of output `{name}` names `{column}`, which is {kind}"), help))
}

/// Limits that no value keeps, or every value.
fn impossible_values(name: &str, checks: &ChecksDecl) -> Refusal {
    if let Some((column, _)) = checks.allowed.iter().find(|(_, values)| values.is_empty()) {
        let help = "list the values that there may be".to_owned();
        return Some((format!("checks.allowed.{column} of output `{name}` allows nothing"), help));
    }
    let (column, _) = checks.range.iter().find(|(_, bounds)| {
        let ends = [bounds.min, bounds.max];
        let crossed = bounds.min.zip(bounds.max).is_some_and(|(min, max)| min > max);
        crossed || ends == [None, None] || ends.iter().flatten().any(|end| !end.is_finite())
    })?;
    let help = "give `min`, `max` or both, the smaller first".to_owned();
    Some((format!("checks.range.{column} of output `{name}` lets nothing or all through"), help))
}

/// Numbers of rows that no table has, or that compare with what is not one table.
fn impossible_rows(file: &StageFile, name: &str, checks: &ChecksDecl) -> Refusal {
    if checks.rows.min.zip(checks.rows.max).is_some_and(|(min, max)| min > max) {
        let message = format!("checks.rows of output `{name}` lets nothing through");
        return Some((message, "min is the smaller".to_owned()));
    }
    let tables = || {
        let tables = file.inputs.iter().filter(|(_, i)| i.kind == ArtifactKind::Table && !i.many);
        tables.map(|(name, _)| name.get_ref().as_str())
    };
    let mut inputs = [&checks.rows.equal, &checks.rows.at_most].into_iter().flatten();
    let input = inputs.find(|input| !tables().any(|known| known == input.as_str()))?;
    let message = format!(
        "checks.rows of output `{name}` names {input:?}, which is not the name of an input of a single table"
    );
    Some((message, suggest(input, tables())))
}
