//! Completions of names by the shell: stages, artifacts, runs, parameters, pipelines, datasets and profiles.
//!
//! A completion must be fast and silent: names that cannot be read are not offered.

use std::collections::HashSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::process;

use clap_complete::engine::CompletionCandidate;

use super::folder::enter_folder;
use crate::declare::Project;
use crate::plan::{Plan, Request, StageInstance, resolve};
use crate::store::Store;

/// Arguments of the command line that the shell completes.
fn typed_words() -> Vec<OsString> {
    // The script calls `callsheet -- callsheet ARGUMENTS`.
    env::args_os().skip_while(|word| word != "--").skip(2).collect()
}

/// Enters the folder that the typed option `-C` names, as the completed command would.
pub(super) fn enter_typed_folder() {
    if enter_folder(typed_words()).is_err() {
        // Without the folder, there is nothing to offer.
        process::exit(0);
    }
}

/// Value of an option in the command line that the shell completes.
fn typed(short: &str, long: &str) -> Option<String> {
    let words: Vec<String> = typed_words().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let value = |(position, word): (usize, &String)| match word.strip_prefix(short) {
        _ if word == short || word == long => words.get(position + 1).cloned(),
        Some(attached) if !attached.is_empty() => Some(attached.to_owned()),
        _ => word.strip_prefix(long)?.strip_prefix('=').map(str::to_owned),
    };
    words.iter().enumerate().find_map(value)
}

/// Plan of the pipeline that the command line, the environment or the defaults select.
fn plan() -> Option<Plan> {
    let names = [
        ("-p", "--pipeline", "CALLSHEET_PIPELINE"),
        ("-d", "--dataset", "CALLSHEET_DATASET"),
        ("-P", "--profile", "CALLSHEET_PROFILE"),
    ];
    let names = names.map(|(short, long, variable)| typed(short, long).or_else(|| env::var(variable).ok()));
    let project = Project::find().ok()?;
    let request = Request::new(&project, names, Vec::new()).ok()?;
    resolve(&project, &request).ok()
}

/// Stages of the plan; none if it cannot be resolved.
fn planned() -> Vec<StageInstance> {
    plan().map(|plan| plan.stages).unwrap_or_default()
}

/// Returns the names that begin with `typed`, each once.
fn beginning(names: impl IntoIterator<Item = String>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let mut seen = HashSet::new();
    let found = names.into_iter().filter(|name| name.starts_with(&*typed));
    found.filter(|name| seen.insert(name.clone())).map(CompletionCandidate::new).collect()
}

/// Stages and stage instances of the pipeline.
pub(super) fn stages(typed: &OsStr) -> Vec<CompletionCandidate> {
    let names = planned().into_iter().flat_map(|stage| [stage.group().to_owned(), stage.name]);
    beginning(names, typed)
}

/// Stages that the project declares.
pub(super) fn declared_stages(typed: &OsStr) -> Vec<CompletionCandidate> {
    beginning(Project::find().map(|project| project.stage_names()).unwrap_or_default(), typed)
}

/// Artifacts of the pipeline.
pub(super) fn artifacts(typed: &OsStr) -> Vec<CompletionCandidate> {
    let outputs = |StageInstance { name, decl, .. }| {
        decl.outputs.keys().map(|output| format!("{name}.{output}")).collect::<Vec<_>>()
    };
    beginning(planned().into_iter().flat_map(outputs), typed)
}

/// Parameters of the pipeline, as `--set` takes them.
pub(super) fn parameters(typed: &OsStr) -> Vec<CompletionCandidate> {
    // callsheet sets the parameters of its own stages.
    let stages = planned().into_iter().filter(|stage| !stage.decl.built_in);
    let params = |StageInstance { name, params, .. }| {
        params.keys().map(|param| format!("{name}.{param}=")).collect::<Vec<_>>()
    };
    beginning(stages.flat_map(params), typed)
}

/// Runs, the latest first.
pub(super) fn runs(typed: &OsStr) -> Vec<CompletionCandidate> {
    let ids = Project::find().and_then(|project| Store::of(&project)).map(|store| store.run_ids());
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
