//! `callsheet.toml`: where a project's stages, pipelines, data and programs lie.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Doing, Error, Fault, Result, SourceText, suggest};
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::scalar::name_pattern;
use super::{Layer, StageDecl, check_name, parse_toml};

/// Folder next to `datasets` with the files that a dataset's `import` names.
pub const IMPORTS: &str = "imports";

/// Name of the file that makes a folder a project.
const FILE: &str = "callsheet.toml";

/// A project: `callsheet.toml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProjectFile {
    /// Pipeline, dataset and profile unless the command line names others.
    defaults: Defaults,
    /// Folder of the stages.
    stages: PathBuf,
    /// Folder of the pipelines.
    pipelines: PathBuf,
    /// Folder of `raw`, `store` and `out`.
    data: PathBuf,
    /// Programs that stage commands name, by name.
    programs: BTreeMap<String, PathBuf>,
    /// Folders that workers search for programs before the system's.
    path: Vec<PathBuf>,
    /// Environment variables that workers are given besides the few that every program needs.
    environment: Vec<String>,
    /// Commands of this project, by name: `callsheet NAME` starts their program.
    #[schemars(with = "BTreeMap<String, CommandDecl>", extend("propertyNames" = name_pattern()))]
    commands: BTreeMap<Spanned<String>, CommandDecl>,
}

/// A command of a project: `callsheet NAME ARGUMENTS` starts `PROGRAM NAME ARGUMENTS`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandDecl {
    /// Program that serves it, as stage commands name it.
    pub program: String,
    /// Summary in one line.
    pub summary: String,
    /// True if reports ask it for sections, by `PROGRAM NAME --json -`.
    #[serde(default)]
    pub report: bool,
}

impl Default for ProjectFile {
    fn default() -> Self {
        Self {
            defaults: Defaults::default(),
            stages: "stages".into(),
            pipelines: "pipelines".into(),
            data: "data".into(),
            programs: BTreeMap::new(),
            path: Vec::new(),
            environment: Vec::new(),
            commands: BTreeMap::new(),
        }
    }
}

/// Defaults for the command line.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// Name of a pipeline file.
    pub pipeline: String,
    /// Name of a dataset file; none if empty.
    pub dataset: String,
    /// Name of a profile file; none if empty.
    pub profile: String,
}

/// A project folder.
#[derive(Debug)]
pub struct Project {
    /// Absolute path of the folder that holds `callsheet.toml`.
    pub root: PathBuf,
    /// Pipeline, dataset and profile unless the command line names others.
    pub defaults: Defaults,
    /// Folder of the stages, relative to the root.
    pub stages: PathBuf,
    /// Folder of the pipelines, relative to the root.
    pub pipelines: PathBuf,
    /// Absolute folder of `raw`, `store` and `out`.
    pub data: PathBuf,
    /// Programs that stage commands name, by name, as absolute paths.
    pub programs: BTreeMap<String, PathBuf>,
    /// Absolute folders that workers search for programs before the system's.
    pub path: Vec<PathBuf>,
    /// Environment variables that workers are given besides the few that every program needs.
    pub environment: Vec<String>,
    /// Commands of this project, by name.
    pub commands: BTreeMap<String, CommandDecl>,
}

impl Project {
    /// The project that holds the current folder.
    ///
    /// # Errors
    /// When no folder from here upwards has a `callsheet.toml`, or it is malformed.
    pub fn find() -> Result<Self> {
        let here = env::current_dir().doing("cannot find", ".")?;
        for folder in here.ancestors() {
            match fs::read_to_string(folder.join(FILE)) {
                Ok(text) => return Self::parse(folder, text),
                Err(error) if error.kind() != ErrorKind::NotFound && folder.join(FILE).is_file() => {
                    return Err(error).doing("cannot read", folder.join(FILE));
                }
                Err(_) => {}
            }
        }
        Err(Error::refused(
            Code::NoProject,
            format!("no {FILE} in {} or any folder above it", here.display()),
            "run callsheet inside a project",
        ))
    }

    /// The project that holds the current folder, if there is one.
    ///
    /// # Errors
    /// If its `callsheet.toml` is malformed.
    pub fn find_any() -> Result<Option<Self>> {
        match Self::find() {
            Err(error) if error.kind() == Code::NoProject => Ok(None),
            found => found.map(Some),
        }
    }

    /// The project at `root`.
    ///
    /// # Errors
    /// When its `callsheet.toml` is missing or malformed.
    pub fn open(root: &Path) -> Result<Self> {
        let path = root.join(FILE);
        Self::parse(root, fs::read_to_string(&path).doing("cannot read", path)?)
    }

    fn parse(root: &Path, text: String) -> Result<Self> {
        let source = Arc::new(SourceText::new(FILE.into(), text));
        let file: ProjectFile = parse_toml(&source)?;
        file.commands.iter().try_for_each(|(name, command)| check_command(name, command, &source))?;
        if root.to_str().is_none() {
            return Err(Error::refused(
                Code::Unsupported,
                format!("the path of the project, {}, is not UTF-8", root.display()),
                "move the project to a folder with a plain name",
            ));
        }
        let absolute = |path: PathBuf| root.join(path);
        Ok(Self {
            root: root.to_owned(),
            defaults: file.defaults,
            stages: file.stages,
            pipelines: file.pipelines,
            data: absolute(file.data),
            programs: file.programs.into_iter().map(|(k, v)| (k, absolute(v))).collect(),
            path: file.path.into_iter().map(absolute).collect(),
            environment: file.environment,
            commands: file.commands.into_iter().map(|(name, decl)| (name.into_inner(), decl)).collect(),
        })
    }

    /// Names of the stages that exist.
    pub fn stage_names(&self) -> Vec<String> {
        names(&self.root.join(&self.stages), |path| {
            path.join("stage.toml").is_file().then(|| path.file_name())?
        })
    }

    /// Names of the pipelines that exist.
    pub fn pipeline_names(&self) -> Vec<String> {
        layer_names(&self.root.join(&self.pipelines))
    }

    /// Names of the datasets that exist.
    pub fn dataset_names(&self) -> Vec<String> {
        layer_names(&self.root.join(&self.pipelines).join("datasets"))
    }

    /// Names of the imports that exist.
    pub fn import_names(&self) -> Vec<String> {
        layer_names(&self.root.join(&self.pipelines).join(IMPORTS))
    }

    /// Names of the profiles that exist.
    pub fn profile_names(&self) -> Vec<String> {
        layer_names(&self.root.join(&self.pipelines).join("profiles"))
    }

    /// Reads the declaration of one stage.
    ///
    /// # Errors
    /// When it is malformed. `None` when there is none of that name.
    pub fn stage(&self, name: &str) -> Result<Option<StageDecl>> {
        let folder = Path::new(name);
        let is_folder_name = folder.file_name().is_some_and(|file_name| file_name == folder.as_os_str());
        if !is_folder_name || !self.root.join(&self.stages).join(folder).join("stage.toml").is_file() {
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
        let known = layer_names(&self.root.join(&folder));
        if !known.iter().any(|k| k == name) {
            let help = suggest(name, known.iter().map(String::as_str));
            return Err(Error::refused(
                Code::UnknownName,
                format!("{what} `{name}` not found in {}", folder.display()),
                help,
            ));
        }
        Layer::read(&self.root, &folder.join(format!("{name}.toml")))
    }
}

/// Names that a project cannot give to its commands.
pub const BUILT_IN: [&str; 25] = [
    "compare",
    "completions",
    "config",
    "curate",
    "datasets",
    "du",
    "explain",
    "gc",
    "graph",
    "guard",
    "help",
    "init",
    "inspect",
    "ls",
    "metrics",
    "new",
    "pin",
    "plan",
    "report",
    "run",
    "schema",
    "sheet",
    "show",
    "stages",
    "verify",
];

fn check_command(name: &Spanned<String>, command: &CommandDecl, source: &Arc<SourceText>) -> Result<()> {
    check_name(name, "a command", source)?;
    let refuse = |message: String, help: &str| {
        Err(Fault::new(source, name.span(), message, "this command").with_help(help).into())
    };
    if BUILT_IN.contains(&name.get_ref().as_str()) {
        return refuse(format!("`{}` is a command of callsheet", name.get_ref()), "choose another name");
    }
    if command.summary.trim().is_empty() || command.summary.contains(char::is_control) {
        return refuse(
            format!("the summary of `{}` is not one line", name.get_ref()),
            "write one line of plain text",
        );
    }
    Ok(())
}

/// Sorted names of the TOML files in a folder, without their ending; none if there is no folder.
pub fn layer_names(folder: &Path) -> Vec<String> {
    names(folder, |path| path.extension().is_some_and(|e| e == "toml").then(|| path.file_stem())?)
}

/// Sorted names that `pick` finds among the entries of a folder; none if there is no folder.
fn names(folder: &Path, pick: impl Fn(&Path) -> Option<&std::ffi::OsStr>) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(pick(&entry.path())?.to_str()?.to_owned())).collect();
    names.sort();
    names
}
