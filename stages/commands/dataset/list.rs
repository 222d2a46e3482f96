//! Which datasets there are.

use anyhow::Result;
use callsheet::cli::print_text;
use callsheet::declare::Project;

use super::expected::raw;

/// Prints a line for each dataset: how many raw files it has, and what it is.
///
/// # Errors
/// When this is no project.
pub fn list() -> Result<u8> {
    let project = Project::find()?;
    let names = project.dataset_names();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    for name in names {
        let raw = match raw(&project, &name) {
            Ok(raw) => raw,
            Err(error) => {
                print_text(&format!("{name:width$}  {error:#}"));
                continue;
            }
        };
        let files = match (raw.files.len(), &raw.stand_in) {
            (0, Some(label)) => format!("no files: {label}"),
            (0, None) => "no files".to_owned(),
            (1, _) => "1 file".to_owned(),
            (count, _) => format!("{count} files"),
        };
        print_text(&format!("{name:width$}  {files:28}  {}", raw.summary));
    }
    Ok(0)
}
