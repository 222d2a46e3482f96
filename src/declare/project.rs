//! `callsheet.toml`: where a project's stages, pipelines, data and programs lie.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Layer, StageDecl, read_toml};
use crate::error::{Doing, Error, Result, suggest};

/// Name of the file that makes a folder a project.
const FILE: &str = "callsheet.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProjectFile {
    stages: PathBuf,
    pipelines: PathBuf,
    data: PathBuf,
    programs: BTreeMap<String, PathBuf>,
    path: Vec<PathBuf>,
    environment: Vec<String>,
}

impl Default for ProjectFile {
    fn default() -> Self {
        Self {
            stages: "stages".into(),
            pipelines: "pipelines".into(),
            data: "data".into(),
            programs: BTreeMap::new(),
            path: Vec::new(),
            environment: Vec::new(),
        }
    }
}

/// A project folder.
#[derive(Debug)]
pub struct Project {
    /// Absolute path of the folder that holds `callsheet.toml`.
    pub root: PathBuf,
    /// Folder of the stages, relative to the root.
    pub stages: PathBuf,
    /// Folder of the pipelines, relative to the root.
    pub pipelines: PathBuf,
    /// Absolute folder of `raw`, `store` and `out`.
    pub data: PathBuf,
    /// Programs that stage commands name, by name, as absolute paths.
    pub programs: BTreeMap<String, PathBuf>,
    /// Absolute folders that workers search for programs after the system's own.
    pub path: Vec<PathBuf>,
    /// Environment variables that workers are given besides the few that every program needs.
    pub environment: Vec<String>,
}

impl Project {
    /// The project that holds the current folder.
    ///
    /// # Errors
    /// When no folder from here upwards has a `callsheet.toml`, or it is malformed.
    pub fn find() -> Result<Self> {
        let here = env::current_dir().doing("cannot find", ".")?;
        let root = here.ancestors().find(|folder| folder.join(FILE).is_file()).ok_or_else(|| {
            Error::refused(
                format!("no {FILE} in {} or any folder above it", here.display()),
                "run callsheet inside a project",
            )
        })?;
        Self::open(root)
    }

    /// The project at `root`.
    ///
    /// # Errors
    /// When its `callsheet.toml` is missing or malformed.
    pub fn open(root: &Path) -> Result<Self> {
        let (file, _): (ProjectFile, _) = read_toml(root, Path::new(FILE))?;
        let absolute = |path: PathBuf| root.join(path);
        Ok(Self {
            root: root.to_owned(),
            stages: file.stages,
            pipelines: file.pipelines,
            data: absolute(file.data),
            programs: file.programs.into_iter().map(|(k, v)| (k, absolute(v))).collect(),
            path: file.path.into_iter().map(absolute).collect(),
            environment: file.environment,
        })
    }

    /// Names of the stages that exist.
    pub fn stage_names(&self) -> Vec<String> {
        names(&self.root.join(&self.stages), |path| {
            path.join("stage.toml").is_file().then(|| path.file_name())?
        })
    }

    /// Reads the declaration of one stage.
    ///
    /// # Errors
    /// When it is malformed. `None` when there is none of that name.
    pub fn stage(&self, name: &str) -> Result<Option<StageDecl>> {
        if !self.stage_names().iter().any(|known| known == name) {
            return Ok(None);
        }
        StageDecl::read(&self.root, &self.stages, name).map(Some)
    }

    /// Reads `<pipelines>/<folder>/<name>.toml`; `what` names the thing in errors.
    ///
    /// # Errors
    /// When there is none of that name (those that exist are listed), or it is malformed.
    pub fn layer(&self, what: &str, folder: &str, name: &str) -> Result<Layer> {
        let folder = self.pipelines.join(folder);
        let known = names(&self.root.join(&folder), |path| {
            path.extension().is_some_and(|e| e == "toml").then(|| path.file_stem())?
        });
        if !known.iter().any(|k| k == name) {
            let help = suggest(name, known.iter().map(String::as_str));
            return Err(Error::refused(format!("{what} `{name}` not found in {}", folder.display()), help));
        }
        Layer::read(&self.root, &folder.join(format!("{name}.toml")))
    }
}

/// Sorted names that `pick` finds among the entries of a folder; none if there is no folder.
fn names(folder: &Path, pick: impl Fn(&Path) -> Option<&std::ffi::OsStr>) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(pick(&entry.path())?.to_str()?.to_owned())).collect();
    names.sort();
    names
}
