//! Inputs of a stage that refer to each other.

use std::sync::Arc;

use callsheet_worker::error::{Fault, Result, SourceText, suggest};

use crate::declare::artifact::ArtifactKind;
use crate::declare::stage_file::StageFile;

/// Checks that verdicts are files, and on the rows of one table.
pub(super) fn check(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    for (name, input) in &file.inputs {
        let Some(verdicts) = &input.verdicts else { continue };
        let refuse = |message: String, help: String| {
            Err(Fault::new(source, name.span(), message, "declared here").with_help(help).into())
        };
        if input.kind != ArtifactKind::Files {
            let message = format!("input `{}` has verdicts and is no files", name.get_ref());
            return refuse(message, "verdicts are a CSV file: kind = \"files\"".to_owned());
        }
        let tables = || file.inputs.iter().filter(|(_, i)| i.kind == ArtifactKind::Table && !i.many);
        if !tables().any(|(known, _)| *known.get_ref() == verdicts.input) {
            let message = format!(
                "verdicts of input `{}` are on {:?}, which is no input of one table",
                name.get_ref(),
                verdicts.input
            );
            let known = tables().map(|(known, _)| known.get_ref().as_str());
            return refuse(message, suggest(&verdicts.input, known));
        }
    }
    Ok(())
}
