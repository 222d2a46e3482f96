//! Inputs of stages that read verdicts, and the tables to whose rows these refer.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use crate::declare::VerdictsOn;
use crate::plan::{Input, Plan, StageInstance};

/// Input of a stage that reads verdicts.
pub(super) struct VerdictInput<'a> {
    /// Position of the stage in the plan.
    pub position: usize,
    pub stage: &'a StageInstance,
    pub on: &'a VerdictsOn,
    /// Path of the file of verdicts, relative to the project. It may not exist yet; then this can be a pattern.
    pub file: String,
}

/// Returns the inputs of a plan that read verdicts and are wired to a source, one for each file.
pub(super) fn verdict_inputs(plan: &Plan) -> Vec<VerdictInput<'_>> {
    plan.stages.iter().enumerate().flat_map(verdict_inputs_of).collect()
}

fn verdict_inputs_of((position, stage): (usize, &StageInstance)) -> Vec<VerdictInput<'_>> {
    let mut found = Vec::new();
    for (name, input) in &stage.decl.inputs {
        let Some(on) = &input.verdicts else { continue };
        let files = match stage.inputs.get(name) {
            Some(Input::Source { files, .. }) => {
                files.iter().map(|file| file.display().to_string()).collect()
            }
            Some(_) => Vec::new(),
            None => {
                let missing = stage.missing.get(name).map(|source| source.path.clone());
                stage.absent.get(name).cloned().or(missing).into_iter().collect()
            }
        };
        found.extend(files.into_iter().map(|file| VerdictInput { position, stage, on, file }));
    }
    found
}

/// Returns the position of the stage that computes the table to which verdicts refer, and the name of its output.
pub(super) fn table_of<'a>(
    plan: &Plan,
    position: usize,
    stage: &'a StageInstance,
    on: &'a VerdictsOn,
) -> Result<(usize, &'a String)> {
    match (&on.output, on.input.as_ref().and_then(|input| stage.inputs.get(input))) {
        (Some(output), _) => Ok((position, output)),
        (None, Some(Input::Artifact { stage: maker, output })) => Ok((*maker, output)),
        _ => {
            let input = on.input.as_deref().unwrap_or_default();
            let message = format!(
                "input `{input}` of stage `{}` of pipeline `{}` is not wired to an output of a stage",
                stage.name, plan.request.target.pipeline
            );
            let help =
                "wire the input to an output, because verdicts refer to rows that a stage has computed";
            Err(Error::user_error(Code::Declaration, message, help))
        }
    }
}
