//! Names of stages, datasets and profiles that would share a folder in `data/out`.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use super::foreach::gathered;
use super::spec::{InstanceDraft, Spec};
use crate::declare::Project;
use crate::target::{NO_DATASET, Target};
use crate::trace;

/// Rejects stage instances whose names differ only in case if their folders in `data/out` would be one folder.
///
/// # Errors
/// Returns an error that names both instances.
pub(super) fn check(data: &Path, spec: &Spec) -> Result<()> {
    let capital = |name: &str| name.chars().any(|c| !c.is_ascii_lowercase() && c.is_alphabetic());
    if !spec.stages.iter().any(|stage| capital(&stage.name)) {
        return Ok(());
    }
    let mut seen: HashMap<String, &InstanceDraft> = HashMap::new();
    for stage in &spec.stages {
        let lower = stage.name.to_lowercase();
        let Some(other) = seen.insert(lower, stage) else { continue };
        if !ignores_case(data) {
            return Ok(());
        }
        let [one, two] = [other, stage].map(|stage| match stage.values.is_empty() {
            true => format!("`{}`", stage.name),
            false => format!("`{}` {}", stage.name, gathered("", &stage.values)),
        });
        let message = format!("the names {one} and {two} differ only in case");
        let help = format!(
            "rename one: the file system of {} ignores case, so both have one folder",
            data.display()
        );
        return Err(stage.stage.1.declaration_error(message, "used here", help));
    }
    Ok(())
}

/// Rejects a target whose folder in `data/out` would be that of another target: a dataset with the name that stands for no
/// dataset, and stages with the name of a dataset or a profile that the target does not have.
///
/// # Errors
/// Returns an error that names the dataset or the stage.
pub(super) fn check_folders(project: &Project, target: &Target, spec: &Spec) -> Result<()> {
    let conflict = |message: String, help: String| Err(Error::user_error(Code::Conflict, message, help));
    if target.dataset == NO_DATASET || target.profile == NO_DATASET {
        let message = format!("`{NO_DATASET}` cannot be the name of a dataset or a profile");
        return conflict(
            message,
            format!("rename its file: `{NO_DATASET}` in data/out stands for no dataset"),
        );
    }
    let (what, names) = match (target.dataset.is_empty(), target.profile.is_empty()) {
        (true, true) => ("dataset", project.dataset_names()),
        (false, true) => ("profile", project.profile_names()),
        _ => return Ok(()),
    };
    match spec.stages.iter().find(|stage| names.contains(&stage.name)) {
        None => Ok(()),
        Some(stage) => conflict(
            format!(
                "stage `{}` has the name of a {what}, so both would have one folder in data/out",
                stage.name
            ),
            format!("rename the stage or the {what}, or select a {what} with --{what}"),
        ),
    }
}

/// Returns true if a folder of the data folder is found under its name in capitals.
fn ignores_case(data: &Path) -> bool {
    let id = |name: &str| trace::file_kind(&data.join(name)).ok().map(|state| (state.dev(), state.ino()));
    [("store", "STORE"), ("out", "OUT"), ("raw", "RAW")]
        .into_iter()
        .any(|(name, capitals)| id(name).is_some() && id(name) == id(capitals))
}
