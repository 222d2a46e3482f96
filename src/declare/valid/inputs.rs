//! Validation of inputs that refer to other inputs or outputs.

use std::sync::Arc;

use callsheet_worker::error::{DeclarationError, Result, SourceText, suggest};

use crate::declare::artifact::ArtifactKind;
use crate::declare::stage_file::StageFile;

/// Checks that inputs with verdicts are files, and that the verdicts refer to the rows of one table.
pub(super) fn check(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    for (name, input) in &file.inputs {
        let Some(verdicts) = &input.verdicts else { continue };
        let refuse = |message: String, help: String| {
            Err(DeclarationError::new(source, name.span(), message, "declared here").with_help(help).into())
        };
        if input.kind != ArtifactKind::Files {
            let message = format!("input `{}` has verdicts but is not of kind `files`", name.get_ref());
            return refuse(message, "set kind = \"files\", because verdicts are a CSV file".to_owned());
        }
        let inputs = || {
            let tables = file.inputs.iter().filter(|(_, i)| i.kind == ArtifactKind::Table && !i.many);
            tables.map(|(known, _)| known.get_ref().as_str()).collect::<Vec<_>>()
        };
        let outputs = || {
            let tables = file.outputs.iter().filter(|(_, o)| o.kind == ArtifactKind::Table);
            tables.map(|(known, _)| known.get_ref().as_str()).collect::<Vec<_>>()
        };
        let (kind, table, known) = match (&verdicts.input, &verdicts.output) {
            (Some(table), None) => ("input with a single table", table, inputs()),
            (None, Some(table)) => ("output table", table, outputs()),
            _ => {
                let message =
                    format!("verdicts of input `{}` must refer to exactly one table", name.get_ref());
                return refuse(message, "declare `key`, and either `input` or `output`".to_owned());
            }
        };
        if !known.contains(&table.as_str()) {
            let message = format!(
                "verdicts of input `{}` refer to `{table}`, but no {kind} has this name",
                name.get_ref()
            );
            return refuse(message, suggest(table, known));
        }
    }
    Ok(())
}
