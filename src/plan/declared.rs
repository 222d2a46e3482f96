//! Names of all stage instances that a project declares.

use std::collections::BTreeSet;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use super::instance::group;
use super::layers::{LayerPolicy, layers};
use super::overlay::overlay;
use super::spec::Spec;
use crate::declare::Project;

/// Returns the names of the stage instances that a pipeline has with a dataset in any profile. The set is
/// empty if the project lacks the pipeline or the dataset.
///
/// # Errors
/// Returns an error if a file is malformed, or the project has no pipeline.
pub fn declared(project: &Project, pipeline: &str, dataset: &str) -> Result<BTreeSet<String>> {
    if project.pipeline_names().is_empty() {
        let message = format!("the folder `{}` contains no pipeline", project.pipelines.display());
        return Err(Error::user_error(
            Code::UnknownName,
            message,
            "set `pipelines` in callsheet.toml to the folder of the pipelines",
        ));
    }
    let known = |names: Vec<String>, name: &str| name.is_empty() || names.iter().any(|known| known == name);
    if !known(project.pipeline_names(), pipeline) || !known(project.dataset_names(), dataset) {
        return Ok(BTreeSet::new());
    }
    let names = |spec: Spec| spec.stages.into_iter().map(|stage| stage.name);
    let mut stages: BTreeSet<String> =
        names(overlay(layers(project, pipeline, dataset, "")?, dataset, &[])?).collect();
    for profile in project.profile_names() {
        let layers = layers(project, pipeline, dataset, &profile)?;
        let of_profile = layers.all.iter().filter(|(_, adds)| *adds == LayerPolicy::None);
        let mut adjusted = of_profile.flat_map(|(layer, _)| layer.stages.keys());
        let known: BTreeSet<&str> = stages.iter().map(|name| group(name)).collect();
        let meant = adjusted.any(|name| known.contains(group(name.get_ref())));
        match overlay(layers, dataset, &[]) {
            Ok(spec) => stages.extend(names(spec)),
            Err(error) if meant => return Err(error),
            // The profile belongs to another pipeline.
            Err(_) => {}
        }
    }
    Ok(stages)
}
