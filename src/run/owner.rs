//! Owner of the results of a pipeline: several projects may use one data folder, but not for pipelines with one name.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use crate::declare::Project;
use crate::store::{LatestResults, Store};

/// Refuses a pipeline whose results belong to the project at `owner`, if that project uses this data folder as well.
///
/// # Errors
/// Returns an error if the pipeline is refused.
pub fn check_owner(project: &Project, pipeline: &str, owner: &str) -> Result<()> {
    if !project.shares_data_with(owner) {
        return Ok(());
    }
    let data = project.data.display();
    Err(Error::user_error(
        Code::Conflict,
        format!(
            "the results of pipeline `{pipeline}` in {data} belong to the project {owner}, which also uses this folder"
        ),
        "set `data` in callsheet.toml to a folder of this project, or rename the pipeline",
    ))
}

/// Records the project as the owner of the results, before anything is computed. `known` are the results as they were
/// read before.
///
/// # Errors
/// Returns an error if another project became the owner in the meantime, or the store cannot be written.
pub(super) fn claim(project: &Project, store: &Store, known: &LatestResults) -> Result<()> {
    let pipeline = &known.target().pipeline;
    store.claim_target(&project.root, known, |owner| check_owner(project, pipeline, owner))
}
