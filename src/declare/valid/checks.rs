//! Validation of the checks of outputs against the rest of the declaration.

use std::ops::Range;
use std::sync::Arc;

use callsheet_worker::error::{DeclarationError, Result, SourceText, suggest};

use crate::declare::artifact::{ArtifactKind, OutputDecl};
use crate::declare::checks::ChecksDecl;
use crate::declare::origin::is_name;
use crate::declare::stage_file::StageFile;

/// Validates the checks of every output against the rest of the declaration.
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
        let help = "remove the checks: only tables can be checked".to_owned();
        (format!("output `{name}` has checks but is not a table"), help)
    });
    let refusal = of_table
        .or_else(|| unknown_column(name, output))
        .or_else(|| unfit_column(name, output))
        .or_else(|| impossible_values(name, checks))
        .or_else(|| impossible_rows(file, name, checks));
    match refusal {
        Some((message, help)) => {
            Err(DeclarationError::new(source, span, message, "in this output").with_help(help).into())
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
        format!("checks.{check} of output `{name}` names `{column}`, which is not a column of the output");
    Some((message, suggest(column, output.columns.keys().map(String::as_str))))
}

/// Finds a column whose type does not fit the check.
fn unfit_column(name: &str, output: &OutputDecl) -> Refusal {
    let unfit = |columns: Vec<&String>, fits: fn(&str) -> bool| {
        let of_type = |name: &String| Some((name.clone(), output.columns.get(name)?.clone()));
        columns.into_iter().filter_map(of_type).find(|(_, kind)| !fits(kind))
    };
    let floats = |kind: &str| kind.contains("float");
    let numbers = |kind: &str| ["int32", "int64", "float32", "float64"].contains(&kind);
    if let Some((column, kind)) = unfit(output.checks.finite.iter().collect(), floats) {
        let help = "name columns of floats, or of vectors or lists of floats; `*` selects all such columns"
            .to_owned();
        let message = format!(
            "checks.finite of output `{name}` requires floats, but column `{column}` has the type {kind}"
        );
        return Some((message, help));
    }
    let (column, kind) = unfit(output.checks.range.keys().collect(), numbers)?;
    let help = "name a column of type int32, int64, float32 or float64".to_owned();
    let message = format!(
        "checks.range of output `{name}` requires numbers, but column `{column}` has the type {kind}"
    );
    Some((message, help))
}

/// Finds limits that no value satisfies, or that every value satisfies.
fn impossible_values(name: &str, checks: &ChecksDecl) -> Refusal {
    if let Some((column, _)) = checks.allowed.iter().find(|(_, values)| values.is_empty()) {
        let help = "list the allowed values".to_owned();
        return Some((format!("checks.allowed.{column} of output `{name}` allows no value"), help));
    }
    let (column, bounds) = checks.range.iter().find(|(_, bounds)| {
        let ends = [bounds.min, bounds.max];
        let crossed = bounds.min.zip(bounds.max).is_some_and(|(min, max)| min > max);
        crossed || ends == [None, None] || ends.iter().flatten().any(|end| !end.is_finite())
    })?;
    let help = "give a finite `min`, a finite `max` or both, with `min` not above `max`".to_owned();
    let ends = [("min", bounds.min), ("max", bounds.max)].into_iter();
    let ends: Vec<String> = ends.filter_map(|(end, value)| Some(format!("{end} = {}", value?))).collect();
    let range = ends.join(", ");
    Some((format!("checks.range.{column} = {{ {range} }} of output `{name}` is not a valid range"), help))
}

/// Finds limits on rows that no table satisfies, or that refer to something other than a single table.
fn impossible_rows(file: &StageFile, name: &str, checks: &ChecksDecl) -> Refusal {
    if checks.rows.min.zip(checks.rows.max).is_some_and(|(min, max)| min > max) {
        let message = format!("no table can satisfy checks.rows of output `{name}`: min is above max");
        return Some((message, "set `min` to at most `max`".to_owned()));
    }
    let tables = || {
        let tables = file.inputs.iter().filter(|(_, i)| i.kind == ArtifactKind::Table && !i.many);
        tables.map(|(name, _)| name.get_ref().as_str())
    };
    let mut inputs = [&checks.rows.equal, &checks.rows.at_most].into_iter().flatten();
    let input = inputs.find(|input| !tables().any(|known| known == input.as_str()))?;
    let message = format!(
        "checks.rows of output `{name}` names `{input}`, but no input with a single table has this name"
    );
    Some((message, suggest(input, tables())))
}
