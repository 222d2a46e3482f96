//! Python environments of stages, and the lock files that list their packages.

use std::path::{Component, Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::trace;

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

/// Python environment in which the command of a stage runs.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PythonDecl {
    /// Its folder as declared.
    pub declared: String,
    /// Absolute path of its folder.
    pub folder: PathBuf,
    /// True if a lock file lists its packages.
    pub is_locked: bool,
}

impl PythonDecl {
    /// Folder of its programs.
    pub fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }
}

/// Lock file next to the environment in the folder `python`: its name among the code of the stage in the folder
/// `stage`, and its path. `None` if no lock file exists.
pub(super) fn lock_file(root: &Path, stage: &Path, python: &Path) -> Option<(String, PathBuf)> {
    let found =
        LOCK_FILES.map(|name| python.with_file_name(name)).into_iter().find(|path| trace::is_file(path))?;
    let name = match (found.strip_prefix(stage), found.strip_prefix(root), stage.strip_prefix(root)) {
        (Ok(below), ..) => below.to_string_lossy().into_owned(),
        (_, Ok(of_project), Ok(stage)) => {
            let up = stage.components().filter(|part| matches!(part, Component::Normal(_))).map(|_| "..");
            up.collect::<PathBuf>().join(of_project).to_string_lossy().into_owned()
        }
        // The place of an environment outside the project differs between machines.
        _ => format!("python:{}", found.file_name()?.to_string_lossy()),
    };
    Some((name, found))
}

/// Path of the program `name` in the environment of a stage; `None` if the environment has no such program.
///
/// # Errors
/// Returns an error if the environment does not exist, or has no interpreter although the stage starts it.
pub(super) fn program(python: &PythonDecl, stage: &str, name: &str) -> Result<Option<PathBuf>> {
    let folder = python.programs();
    let path = folder.join(name);
    let refuse = |message: String| {
        let help = "create the environment, e.g. with `uv sync` or `python3 -m venv`, or correct `python` in \
                    stage.toml";
        Err(Error::user_error(Code::MissingProgram, message, help))
    };
    if !trace::is_dir(&folder) {
        let folder = folder.display();
        return refuse(format!(
            "the Python environment of stage `{stage}` does not exist: the folder {folder} is missing"
        ));
    }
    if folder.to_string_lossy().contains(':') {
        let folder = folder.display();
        return refuse(format!(
            "the path {folder} contains `:`, so it cannot be on the PATH of stage `{stage}`"
        ));
    }
    match trace::is_file(&path) {
        true => Ok(Some(path)),
        // Another Python would compute with other packages.
        false
            if trace::symlink_metadata(&path).is_ok_and(|found| found.is_symlink())
                || name.starts_with("python") =>
        {
            refuse(format!(
                "the Python environment of stage `{stage}` is broken: {} does not exist or is a link to nothing",
                path.display()
            ))
        }
        false => Ok(None),
    }
}
