//! Names of stages on file systems that ignore case.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use callsheet_worker::error::Result;

use super::foreach::gathered;
use super::spec::{InstanceDraft, Spec};

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

/// Returns true if a folder of the data folder is found under its name in capitals.
fn ignores_case(data: &Path) -> bool {
    let id = |name: &str| fs::metadata(data.join(name)).ok().map(|state| (state.dev(), state.ino()));
    [("store", "STORE"), ("out", "OUT"), ("raw", "RAW")]
        .into_iter()
        .any(|(name, capitals)| id(name).is_some() && id(name) == id(capitals))
}
