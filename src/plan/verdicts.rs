//! Check of the tables to which verdicts refer.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};

use super::{Input, StageInstance};

/// Checks that the tables to which verdicts refer declare the key of the verdicts.
///
/// # Errors
/// Returns an error if a table declares its columns, but not the key.
pub(super) fn check_verdicts(stages: &[StageInstance]) -> Result<()> {
    for stage in stages {
        for on in stage.decl.inputs.values().filter_map(|input| input.verdicts.as_ref()) {
            let wired = on.input.as_ref().and_then(|input| stage.inputs.get(input));
            let table = match (&on.output, wired) {
                (Some(output), _) => stage.decl.outputs.get(output).map(|table| (&stage.name, output, table)),
                (None, Some(Input::Artifact { stage: producer, output })) => {
                    let producer = &stages[*producer];
                    producer.decl.outputs.get(output).map(|table| (&producer.name, output, table))
                }
                _ => None,
            };
            let Some((producer, output, table)) = table else { continue };
            if table.columns.is_empty() || table.columns.contains_key(&on.key) {
                continue;
            }
            let message = format!(
                "stage `{}` reads verdicts with the key `{}`, but `{producer}.{output}` declares no such column",
                stage.name, on.key
            );
            let help = suggest(&on.key, table.columns.keys().map(String::as_str));
            return Err(Error::user_error(Code::Declaration, message, help));
        }
    }
    Ok(())
}
