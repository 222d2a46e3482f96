//! Check of the tables to which verdicts refer.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};

use super::{Input, StageInstance};
use crate::declare::VerdictsOn;

/// Returns the position of the stage that computes the table to which verdicts of the stage at `position` refer, and the name
/// of its output. Returns none if the input with this table is not wired to an output.
pub fn verdict_table<'a>(
    stages: &'a [StageInstance],
    position: usize,
    on: &'a VerdictsOn,
) -> Option<(usize, &'a String)> {
    if let Some(output) = &on.output {
        return Some((position, output));
    }
    match stages[position].inputs.get(on.input.as_ref()?)? {
        Input::Artifact { stage, output } => Some((*stage, output)),
        _ => None,
    }
}

/// Checks that the tables to which verdicts refer declare the key of the verdicts.
///
/// # Errors
/// Returns an error if a table declares its columns, but not the key.
pub(super) fn check_verdicts(stages: &[StageInstance]) -> Result<()> {
    for (position, stage) in stages.iter().enumerate() {
        for on in stage.decl.inputs.values().filter_map(|input| input.verdicts.as_ref()) {
            let Some((producer, output)) = verdict_table(stages, position, on) else { continue };
            let producer = &stages[producer];
            let Some(table) = producer.decl.outputs.get(output) else { continue };
            if table.columns.is_empty() || table.columns.contains_key(&on.key) {
                continue;
            }
            let message = format!(
                "stage `{}` reads verdicts with the key `{}`, but `{}.{output}` declares no such column",
                stage.name, on.key, producer.name
            );
            let help = suggest(&on.key, table.columns.keys().map(String::as_str));
            return Err(Error::user_error(Code::Declaration, message, help));
        }
    }
    Ok(())
}
