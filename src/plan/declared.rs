//! Names of all stage instances that a project declares.

use std::collections::BTreeSet;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use super::layers::layers;
use super::overlay::overlay;
use super::tables::table_of;
use crate::declare::Project;
use crate::target::Target;

/// Returns the names of the stage instances of a target. The set is empty if the project lacks its pipeline, dataset or
/// profile.
///
/// # Errors
/// Returns an error if a file is malformed, or the project has no pipeline.
pub fn declared(project: &Project, target: &Target) -> Result<BTreeSet<String>> {
    if project.pipeline_names().is_empty() {
        let message = format!("the folder `{}` contains no pipeline", project.pipelines.display());
        return Err(Error::user_error(
            Code::UnknownName,
            message,
            "set `pipelines` in callsheet.toml to the folder of the pipelines",
        ));
    }
    let known = |names: Vec<String>, name: &String| name.is_empty() || names.contains(name);
    let Target { pipeline, dataset, profile } = target;
    if !known(project.pipeline_names(), pipeline)
        || !known(project.dataset_names(), dataset)
        || !known(project.profile_names(), profile)
    {
        return Ok(BTreeSet::new());
    }
    let spec = overlay(layers(project, target)?, dataset, &[])?;
    // A source gets an instance of the built-in stage if a stage reads it as a table, which depends on its files.
    let tables = spec.sources.keys().map(|source| table_of(source));
    Ok(spec.stages.into_iter().map(|stage| stage.name).chain(tables).collect())
}
