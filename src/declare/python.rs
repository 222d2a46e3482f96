//! Python environments of stages, and the lock files that list their packages.

use std::path::{Component, Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

/// Names of lock files; if several exist, the first one counts.
const LOCK_FILES: [&str; 7] = [
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "pylock.toml",
    "Pipfile.lock",
    "requirements.lock",
    "requirements.txt",
];

/// Lock file next to the environment in the folder `python`: its name relative to the stage's folder `stage`, as in
/// the stage's `files`, and its path. `None` if there is no lock file.
pub(super) fn lock_file(root: &Path, stage: &Path, python: &Path) -> Option<(String, PathBuf)> {
    let found = LOCK_FILES.map(|name| python.with_file_name(name)).into_iter().find(|path| path.is_file())?;
    let name = match (found.strip_prefix(stage), found.strip_prefix(root), stage.strip_prefix(root)) {
        (Ok(below), ..) => below.to_owned(),
        (_, Ok(of_project), Ok(stage)) => {
            let up = stage.components().filter(|part| matches!(part, Component::Normal(_))).map(|_| "..");
            up.collect::<PathBuf>().join(of_project)
        }
        // The place of an environment outside the project differs between machines.
        _ => PathBuf::from(found.file_name()?),
    };
    Some((name.to_string_lossy().into_owned(), found))
}

/// Folder of the programs of a Python environment.
///
/// # Errors
/// Returns an error if the environment does not exist.
pub(super) fn programs(python: &Path, stage: &str) -> Result<PathBuf> {
    let folder = python.join("bin");
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Error::user_error(
        Code::MissingProgram,
        format!(
            "the Python environment of stage `{stage}` does not exist: there is no folder {}",
            folder.display()
        ),
        "create the environment, e.g. with `uv sync` or `python3 -m venv`, or correct `python` in stage.toml",
    ))
}
