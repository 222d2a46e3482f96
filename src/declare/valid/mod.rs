//! Validation of a stage.toml beyond its types.

mod checks;
mod command;
mod inputs;
mod outputs;
mod params;
mod rows;

use std::sync::Arc;

use callsheet_worker::error::{Result, SourceText};

use super::origin::check_name;
use super::stage_file::StageFile;

/// Validates a declaration.
///
/// # Errors
/// Returns an error that shows the line if the declaration contradicts itself.
pub(super) fn check(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    command::check_version(file, source)?;
    file.inputs.keys().try_for_each(|name| check_name(name, "an input", source))?;
    file.outputs.keys().try_for_each(|name| check_name(name, "an output", source))?;
    file.params.keys().try_for_each(|name| check_name(name, "a parameter", source))?;
    command::check_command(file, source)?;
    rows::check(file, source)?;
    checks::check(file, source)?;
    inputs::check(file, source)?;
    outputs::check(file, source)?;
    params::check(file, source)
}
