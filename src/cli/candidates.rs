//! Completions of names by the shell: stages, artifacts, runs, parameters, pipelines, datasets and profiles.
//!
//! A completion must be fast and silent: names that cannot be read are not offered.

use std::env;
use std::ffi::OsStr;

use clap_complete::engine::CompletionCandidate;

use super::request::{request, store};
use crate::declare::Project;
use crate::plan::{Plan, resolve};

/// Plan of the pipeline that the environment or the defaults select.
fn plan() -> Option<Plan> {
    let names =
        ["CALLSHEET_PIPELINE", "CALLSHEET_DATASET", "CALLSHEET_PROFILE"].map(|name| env::var(name).ok());
    let project = Project::find().ok()?;
    let request = request(&project, names, Vec::new()).ok()?;
    resolve(&project, &request).ok()
}

/// Returns the names that begin with `typed`.
fn beginning(names: impl IntoIterator<Item = String>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let found = names.into_iter().filter(|name| name.starts_with(&*typed));
    found.map(CompletionCandidate::new).collect()
}

/// Stages and stage instances of the pipeline.
pub(super) fn stages(typed: &OsStr) -> Vec<CompletionCandidate> {
    let plan = plan();
    let names = plan.iter().flat_map(|plan| plan.stages.iter());
    let mut names: Vec<String> =
        names.flat_map(|stage| [stage.group().to_owned(), stage.name.clone()]).collect();
    names.dedup();
    beginning(names, typed)
}

/// Artifacts of the pipeline.
pub(super) fn artifacts(typed: &OsStr) -> Vec<CompletionCandidate> {
    let plan = plan();
    let stages = plan.iter().flat_map(|plan| plan.stages.iter());
    let names =
        stages.flat_map(|stage| stage.decl.outputs.keys().map(|output| format!("{}.{output}", stage.name)));
    beginning(names, typed)
}

/// Parameters of the pipeline, as `--set` takes them.
pub(super) fn parameters(typed: &OsStr) -> Vec<CompletionCandidate> {
    let plan = plan();
    let stages = plan.iter().flat_map(|plan| plan.stages.iter());
    // callsheet sets the parameters of its own stages.
    let stages = stages.filter(|stage| !stage.decl.built_in);
    let names = stages.flat_map(|stage| stage.params.keys().map(|param| format!("{}.{param}=", stage.name)));
    beginning(names, typed)
}

/// Runs, the latest first.
pub(super) fn runs(typed: &OsStr) -> Vec<CompletionCandidate> {
    let ids = Project::find().and_then(|project| store(&project)).map(|store| store.run_ids());
    beginning(["latest".to_owned()].into_iter().chain(ids.unwrap_or_default()), typed)
}

/// Pipelines of the project.
pub(super) fn pipelines(typed: &OsStr) -> Vec<CompletionCandidate> {
    beginning(Project::find().map(|project| project.pipeline_names()).unwrap_or_default(), typed)
}

/// Datasets of the project.
pub(super) fn datasets(typed: &OsStr) -> Vec<CompletionCandidate> {
    beginning(Project::find().map(|project| project.dataset_names()).unwrap_or_default(), typed)
}

/// Profiles of the project.
pub(super) fn profiles(typed: &OsStr) -> Vec<CompletionCandidate> {
    beginning(Project::find().map(|project| project.profile_names()).unwrap_or_default(), typed)
}
