//! Validation of `[rows]` against the rest of the declaration.

use std::sync::Arc;

use callsheet_worker::error::{DeclarationError, Result, SourceText, suggest};

use crate::declare::artifact::ArtifactKind;
use crate::declare::param::Role;
use crate::declare::stage_file::StageFile;

/// Validates `[rows]` against the rest of the declaration.
pub(super) fn check(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    let Some(spanned) = &file.rows else { return Ok(()) };
    let rows = spanned.get_ref();
    let refuse = |message: String, help: String| {
        Err(DeclarationError::new(source, spanned.span(), message, "declared here").with_help(help).into())
    };
    let inputs = file.inputs.keys().map(|name| name.get_ref().as_str());
    let Some((_, input)) = file.inputs.iter().find(|(name, _)| *name.get_ref() == rows.input) else {
        return refuse(
            format!("rows.input = {:?} is not a declared input", rows.input),
            suggest(&rows.input, inputs),
        );
    };
    if input.kind != ArtifactKind::Table || input.optional || input.many {
        let help = "declare the input with kind = \"table\", and without `optional` and `many`".to_owned();
        return refuse(format!("rows.input = {:?} is not a single, required table", rows.input), help);
    }
    for name in rows.files.keys() {
        let files = file.inputs.iter().find(|(input, _)| input.get_ref() == name);
        if files.is_none_or(|(_, input)| input.kind != ArtifactKind::Files) {
            let known = file.inputs.iter().filter(|(_, input)| input.kind == ArtifactKind::Files);
            let help = suggest(name, known.map(|(name, _)| name.get_ref().as_str()));
            return refuse(
                format!("rows.files names `{name}`, which is not an input of kind \"files\""),
                help,
            );
        }
    }
    let inputs = file.inputs.iter().filter(|(name, input)| *name.get_ref() != rows.input && !input.many);
    let inputs = || inputs.clone().map(|(name, _)| name.get_ref().as_str());
    if let Some(name) = rows
        .covered_by_digest
        .iter()
        .find(|covered_by_digest| !inputs().any(|name| name == *covered_by_digest))
    {
        let help = suggest(name, inputs());
        return refuse(
            format!(
                "rows.covered_by_digest names `{name}`, which is not another input with a single artifact"
            ),
            help,
        );
    }
    let outputs = file.outputs.keys().map(|name| name.get_ref().as_str());
    let Some((_, output)) = file.outputs.iter().find(|(name, _)| *name.get_ref() == rows.output) else {
        return refuse(
            format!("rows.output = {:?} is not a declared output", rows.output),
            suggest(&rows.output, outputs),
        );
    };
    if output.kind != ArtifactKind::Table || file.outputs.len() > 1 {
        let help = "move results that depend on all rows to another stage, which reads this table".to_owned();
        return refuse("a row-wise stage must have exactly one output, a table".to_owned(), help);
    }
    if !output.columns.contains_key(&rows.key) && !output.columns.is_empty() {
        let help = suggest(&rows.key, output.columns.keys().map(String::as_str));
        return refuse(format!("rows.key = {:?} is not a column of the output", rows.key), help);
    }
    if let Some(column) = rows.digests.keys().find(|c| !rows.columns.contains(*c) && !rows.columns.is_empty())
    {
        let help = suggest(column, rows.columns.iter().map(String::as_str));
        return refuse(format!("rows.digests names `{column}`, which is not in rows.columns"), help);
    }
    if let Some((column, value)) = rows.filter.iter().find(|(_, value)| value.is_array() || value.is_object())
    {
        let help = "use one value: a string, a number, true or false".to_owned();
        return refuse(format!("rows.where.{column} = {value} is not a single value"), help);
    }
    if let Some((name, _)) = file.params.iter().find(|(_, param)| param.role == Role::Budget) {
        let help =
            "remove `role` from the parameter: a row cannot be resumed with a larger budget".to_owned();
        let name = name.get_ref();
        let message =
            format!("parameter `{name}` has role = \"budget\", which a row-wise stage does not support");
        return refuse(message, help);
    }
    Ok(())
}
