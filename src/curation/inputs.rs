//! Inputs of stages that read verdicts, and the tables to whose rows these refer.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use crate::declare::VerdictsOn;
use crate::plan::{Input, Plan, StageInstance, verdict_table};

/// Input of a stage that reads verdicts.
pub(super) struct VerdictInput<'a> {
    /// Position of the stage in the plan.
    pub position: usize,
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
        found.extend(files.into_iter().map(|file| VerdictInput { position, on, file }));
    }
    found
}

/// Returns the position of the stage that computes the table to which verdicts refer, and the name of its output.
pub(super) fn table_of<'a>(
    plan: &'a Plan,
    position: usize,
    on: &'a VerdictsOn,
) -> Result<(usize, &'a String)> {
    verdict_table(&plan.stages, position, on).ok_or_else(|| {
        let message = format!(
            "input `{}` of stage `{}` of pipeline `{}` is not wired to an output of a stage",
            on.input.as_deref().unwrap_or_default(),
            plan.stages[position].name,
            plan.request.target.pipeline
        );
        let help = "wire the input to an output, because verdicts refer to rows that a stage has computed";
        Error::user_error(Code::Declaration, message, help)
    })
}
