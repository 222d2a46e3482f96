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

fn check_output(
    file: &StageFile,
    name: &str,
    span: Range<usize>,
    output: &OutputDecl,
    source: &Arc<SourceText>,
) -> Result<()> {
    let checks = &output.checks;
    let refuse = |message: String, help: String| {
        Err(Fault::new(source, span.clone(), message, "of this output").with_help(help).into())
    };
    if *checks != ChecksDecl::default() && output.kind != ArtifactKind::Table {
        let help = "only the rows and columns of a table can be checked".to_owned();
        return refuse(format!("output `{name}` has checks and is no table"), help);
    }
    let known = || output.columns.keys().map(String::as_str);
    let stranger = |column: &str| match output.columns.is_empty() {
        true => !is_name(column),
        false => !output.columns.contains_key(column),
    };
    if let Some((check, column)) = checks.columns().find(|(_, column)| stranger(column)) {
        let message = format!("checks.{check} of output `{name}` names the column {column:?}");
        return refuse(format!("{message}, which it does not have"), suggest(column, known()));
    }
    let unfit = |columns: Vec<&String>, fits: fn(&str) -> bool| {
        let of_type = |name: &String| Some((name.clone(), output.columns.get(name)?.clone()));
        columns.into_iter().filter_map(of_type).find(|(_, kind)| !fits(kind))
    };
    let floats = |kind: &str| kind.contains("float");
    let numbers = |kind: &str| ["int32", "int64", "float32", "float64"].contains(&kind);
    if let Some((column, kind)) = unfit(checks.finite.iter().collect(), floats) {
        let help = "name columns of floats, or of vectors or lists of them; `*` is all that are".to_owned();
        return refuse(format!("checks.finite of output `{name}` names `{column}`, which is {kind}"), help);
    }
    if let Some((column, kind)) = unfit(checks.range.keys().collect(), numbers) {
        let help = "only a column of single numbers has a range".to_owned();
        return refuse(format!("checks.range of output `{name}` names `{column}`, which is {kind}"), help);
    }
    if let Some((column, _)) = checks.allowed.iter().find(|(_, values)| values.is_empty()) {
        let help = "list the values that there may be".to_owned();
        return refuse(format!("checks.allowed.{column} of output `{name}` allows nothing"), help);
    }
    if checks.rows.min.zip(checks.rows.max).is_some_and(|(min, max)| min > max) {
        return refuse(
            format!("checks.rows of output `{name}` lets nothing through"),
            "min is the smaller".to_owned(),
        );
    }
    let empty = checks.range.iter().find(|(_, bounds)| {
        let ends = [bounds.min, bounds.max];
        let crossed = bounds.min.zip(bounds.max).is_some_and(|(min, max)| min > max);
        crossed || ends == [None, None] || ends.iter().flatten().any(|end| !end.is_finite())
    });
    if let Some((column, _)) = empty {
        let help = "give `min`, `max` or both, the smaller first".to_owned();
        return refuse(format!("checks.range.{column} of output `{name}` lets nothing or all through"), help);
    }
    let inputs = [&checks.rows.equal, &checks.rows.at_most];
    for input in inputs.into_iter().flatten() {
        let tables = || file.inputs.iter().filter(|(_, i)| i.kind == ArtifactKind::Table && !i.many);
        if !tables().any(|(known, _)| known.get_ref() == input) {
            let message =
                format!("checks.rows of output `{name}` names {input:?}, which is no input of one table");
            return refuse(message, suggest(input, tables().map(|(known, _)| known.get_ref().as_str())));
        }
    }
    Ok(())
}
