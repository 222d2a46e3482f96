//! `callsheet.toml`: folders of a project's stages, pipelines and data, its programs and commands.

use std::collections::BTreeMap;
use std::env;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use callsheet_worker::code::Code;
use callsheet_worker::error::{DeclarationError, Error, IoContext, Result, SourceText, suggest};
use schemars::JsonSchema;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::built_in::{READ_TABLE, read_table_stage};
use super::executor::{ExecutorDecl, ExecutorFile, ExecutorFiles, executors};
use super::resources::Seconds;
use super::scalar::name_pattern;
use super::user::{UserFile, user_file};
use super::{Layer, StageDecl, check_name, parse_toml};
use crate::trace;

/// Folder next to `datasets` with the files that a dataset's `import` names.
pub const IMPORTS: &str = "imports";

/// Name of the file that marks a folder as a project.
pub const FILE: &str = "callsheet.toml";

/// Settings of a project: `callsheet.toml` in the project's root folder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProjectFile {
    /// Versions of callsheet with which the project works, e.g. `">=0.2, <0.4"`; another version refuses to run.
    /// Default: all versions.
    #[schemars(with = "Option<String>")]
    requires: Option<Spanned<String>>,
    /// Pipeline, dataset and profile that commands use unless the command line names others. Default: none.
    defaults: Defaults,
    /// Folder of the stages, relative to the project: `NAME/stage.toml` declares stage NAME. Default:
    /// `stages`.
    stages: PathBuf,
    /// Folder of the pipelines, relative to the project. Its subfolders `datasets`, `imports` and `profiles`
    /// contain the other files that configure a pipeline. Default: `pipelines`.
    pipelines: PathBuf,
    /// Folder of the results (`store`), the latest artifacts (`out`) and, by convention, the raw files
    /// (`raw`), relative to the project. Default: `data`.
    data: PathBuf,
    /// Folder of a store that several users or machines share. It must belong to their group (mode 2775). Results are
    /// then looked up in `store` below `data` first and there afterwards, and new results go there. `store` in the user's
    /// own settings takes precedence. Default: none.
    store: Option<PathBuf>,
    /// Paths of programs by name, relative to the project. Stages and commands start them by name. Programs
    /// that are not listed are searched on `path` and then on PATH. Default: none.
    programs: BTreeMap<String, PathBuf>,
    /// Folders, relative to the project, that precede the system's folders in the PATH of workers. Default:
    /// none.
    path: Vec<PathBuf>,
    /// Names of environment variables that the engine passes to workers, in addition to HOME, USER, LANG, LC_ALL,
    /// TERM, TZ, TMPDIR, XDG_CACHE_HOME and LD_LIBRARY_PATH. `callsheet explain STAGE` lists all variables of a
    /// worker. Default: none.
    environment: Vec<String>,
    /// Access of workers to files. Default: `"on"`.
    sandbox: Sandbox,
    /// Files and folders, relative to the project, that every worker may read if `sandbox = "strict"`, in addition to
    /// its inputs, its code and the folders of the system. Default: none.
    readable: Vec<PathBuf>,
    /// Command that is started at the end of a long run. Default: none.
    notify: Option<NotifyDecl>,
    /// Clusters by name: `callsheet run --on NAME` runs the stages there. The user's own executors.toml takes precedence
    /// for each key. Default: none.
    #[schemars(with = "BTreeMap<String, ExecutorFile>", extend("propertyNames" = name_pattern()))]
    executors: ExecutorFiles,
    /// Commands of this project by name: `callsheet NAME` starts the command's program. Default: none.
    #[schemars(with = "BTreeMap<String, CommandDecl>", extend("propertyNames" = name_pattern()))]
    commands: BTreeMap<Spanned<String>, CommandDecl>,
}

/// Access of workers to files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// Workers may write to any file.
    Off,
    /// Workers write only to their own folders, caches and temporary folders. On a kernel without Landlock (Linux
    /// before 5.13), workers get copies of their inputs instead.
    #[default]
    On,
    /// As `on`; workers also read only their inputs, their code and the folders of the system. This needs Landlock.
    Strict,
}

/// Notification at the end of a long run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyDecl {
    /// Program and arguments, e.g. `["notify-send", "callsheet"]`; the message is appended as the last argument.
    pub command: Vec<String>,
    /// Shortest run that is announced, in seconds. Default: 60.
    #[serde(default = "long")]
    pub after: Seconds,
}

fn long() -> Seconds {
    Seconds(60.0)
}

/// A command of a project: `callsheet NAME ARGUMENTS` starts `PROGRAM NAME ARGUMENTS`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandDecl {
    /// Program that the command starts: a name under `programs`, or a program on PATH.
    pub program: String,
    /// Summary in one line; `callsheet --help` shows it.
    pub summary: String,
    /// True if the command adds sections to reports: a report starts `PROGRAM NAME --json -`. Default: false.
    #[serde(default)]
    pub report: bool,
}

impl Default for ProjectFile {
    fn default() -> Self {
        Self {
            requires: None,
            defaults: Defaults::default(),
            stages: "stages".into(),
            pipelines: "pipelines".into(),
            data: "data".into(),
            store: None,
            programs: BTreeMap::new(),
            path: Vec::new(),
            environment: Vec::new(),
            sandbox: Sandbox::default(),
            readable: Vec::new(),
            notify: None,
            executors: BTreeMap::new(),
            commands: BTreeMap::new(),
        }
    }
}

/// Pipeline, dataset and profile that commands use unless the command line names others.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// Name of a pipeline: its file in `pipelines/` without `.toml`. Default: none.
    pub pipeline: String,
    /// Name of a dataset: its file in `pipelines/datasets/` without `.toml`. Default: none.
    pub dataset: String,
    /// Name of a profile: its file in `pipelines/profiles/` without `.toml`. Default: none.
    pub profile: String,
}

/// A project: its root folder and the settings in `callsheet.toml`. A node of a cluster gets those that workers need.
#[derive(Debug, Deserialize, Serialize)]
pub struct Project {
    /// Absolute path of the folder that contains `callsheet.toml`.
    pub root: PathBuf,
    /// Pipeline, dataset and profile that commands use unless the command line names others.
    pub defaults: Defaults,
    /// Folder of the stages, relative to the root.
    pub stages: PathBuf,
    /// Folder of the pipelines, relative to the root.
    pub pipelines: PathBuf,
    /// Absolute path of the folder of `raw`, `store` and `out`.
    pub data: PathBuf,
    /// Absolute path of the shared store, if the project uses one.
    pub store: Option<PathBuf>,
    /// File that sets `store`, if it is set.
    #[serde(skip)]
    pub store_file: Option<PathBuf>,
    /// Absolute paths of programs by name.
    pub programs: BTreeMap<String, PathBuf>,
    /// Absolute paths of the folders that precede the system's folders in the PATH of workers.
    pub path: Vec<PathBuf>,
    /// Names of environment variables that workers get in addition to the few that every program needs.
    pub environment: Vec<String>,
    /// Access of workers to files.
    pub sandbox: Sandbox,
    /// Absolute paths of the files and folders that workers may read in a strict sandbox.
    pub readable: Vec<PathBuf>,
    /// Command that is started at the end of a long run.
    #[serde(skip)]
    pub notify: Option<NotifyDecl>,
    /// Clusters by name, as `callsheet.toml` declares them, and its text.
    #[serde(skip)]
    executors: Option<(ExecutorFiles, Arc<SourceText>)>,
    /// Commands of this project by name.
    #[serde(skip)]
    pub commands: BTreeMap<String, CommandDecl>,
    /// Paths of programs that were found on the search path, by name.
    #[serde(skip)]
    pub(super) on_path: Mutex<BTreeMap<String, PathBuf>>,
}

impl Project {
    /// Returns the project that contains the current folder.
    ///
    /// # Errors
    /// Returns an error if this folder and all folders above it lack `callsheet.toml`, or the file is
    /// malformed.
    pub fn find() -> Result<Self> {
        let here = env::current_dir().io_context("cannot find", ".")?;
        for folder in here.ancestors() {
            match trace::read_to_string(&folder.join(FILE)) {
                Ok(text) => return Self::parse(folder, text),
                Err(error) if error.kind() != ErrorKind::NotFound && trace::is_file(&folder.join(FILE)) => {
                    return Err(error).io_context("cannot read", folder.join(FILE));
                }
                Err(_) => {}
            }
        }
        Err(Error::user_error(
            Code::NoProject,
            format!("no {FILE} in {} or any folder above it", here.display()),
            "run callsheet inside a project; `callsheet init` creates one",
        ))
    }

    /// Returns the project that contains the current folder, if there is one.
    ///
    /// # Errors
    /// Returns an error if its `callsheet.toml` is malformed.
    pub fn find_any() -> Result<Option<Self>> {
        match Self::find() {
            Err(error) if error.kind() == Code::NoProject => Ok(None),
            found => found.map(Some),
        }
    }

    /// Returns the project at `root`.
    ///
    /// # Errors
    /// Returns an error if its `callsheet.toml` is missing or malformed.
    pub fn open(root: &Path) -> Result<Self> {
        let path = root.join(FILE);
        Self::parse(root, trace::read_to_string(&path).io_context("cannot read", path)?)
    }

    fn parse(root: &Path, text: String) -> Result<Self> {
        let source = Arc::new(SourceText::new(FILE.into(), text));
        let file = parse_toml::<ProjectFile>(&source);
        // A file for another version may have keys that this one does not know.
        let requires = file.as_ref().map_or_else(|_| requirement(&source), |file| file.requires.clone());
        requires.map_or(Ok(()), |requires| check_version(&requires, &source))?;
        let file = file?;
        if file.notify.as_ref().is_some_and(|notify| notify.command.is_empty()) {
            let message = format!("{FILE}: `command` under [notify] is empty");
            return Err(Error::user_error(
                Code::Declaration,
                message,
                "name a program, e.g. [\"notify-send\"]",
            ));
        }
        file.commands.iter().try_for_each(|(name, command)| check_command(name, command, &source))?;
        if root.to_str().is_none() {
            return Err(Error::user_error(
                Code::Unsupported,
                format!("the path of the project, `{}`, is not UTF-8", root.display()),
                "move the project to a folder with a plain name",
            ));
        }
        let absolute = |path: PathBuf| root.join(path);
        let of_user = UserFile::read()?.store.zip(user_file());
        let store = of_user.or_else(|| Some((file.store?, root.join(FILE))));
        if let Some((_, file)) = store.as_ref().filter(|(store, _)| store.as_os_str().is_empty()) {
            let message = format!("{}: `store` is empty", file.display());
            return Err(Error::user_error(Code::InvalidValue, message, "name a folder, or remove the key"));
        }
        let (store, store_file) = store.unzip();
        Ok(Self {
            root: root.to_owned(),
            defaults: file.defaults,
            stages: file.stages,
            pipelines: file.pipelines,
            data: absolute(file.data),
            store: store.map(absolute),
            store_file,
            programs: file.programs.into_iter().map(|(k, v)| (k, absolute(v))).collect(),
            path: file.path.into_iter().map(absolute).collect(),
            environment: file.environment,
            sandbox: file.sandbox,
            readable: file.readable.into_iter().map(absolute).collect(),
            notify: file.notify,
            executors: Some((file.executors, source)),
            commands: file.commands.into_iter().map(|(name, decl)| (name.into_inner(), decl)).collect(),
            on_path: Mutex::default(),
        })
    }

    /// Returns true if `owner` is the path of another project that uses the data folder of this one. A project that
    /// cannot be read counts: its owner may be another user.
    pub fn shares_data_with(&self, owner: &str) -> bool {
        let real = |path: &Path| trace::canonicalize(path).ok();
        let root = Path::new(owner);
        if owner.is_empty()
            || root == self.root
            || real(root).is_some_and(|real_root| Some(real_root) == real(&self.root))
        {
            return false;
        }
        match trace::symlink_metadata(&root.join(FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            _ => Self::open(root).map_or(true, |other| real(&other.data) == real(&self.data)),
        }
    }

    /// Clusters by name, as the files of the project and of the user declare them.
    ///
    /// # Errors
    /// Returns an error if the user's file cannot be read, or a declaration is malformed or incomplete.
    pub fn executors(&self) -> Result<BTreeMap<String, ExecutorDecl>> {
        let empty = || (ExecutorFiles::new(), Arc::new(SourceText::new(FILE.into(), String::new())));
        let (files, source) = self.executors.clone().unwrap_or_else(empty);
        executors(files, &source)
    }

    /// The cluster with this name.
    ///
    /// # Errors
    /// Returns an error if no file declares it, or in the cases of [`Self::executors`].
    pub fn executor(&self, name: &str) -> Result<ExecutorDecl> {
        let mut all = self.executors()?;
        all.remove(name).ok_or_else(|| {
            let help = match all.is_empty() {
                true => "no executor is declared; `callsheet executors detect` prints a declaration for this cluster".to_owned(),
                false => suggest(name, all.keys().map(String::as_str)),
            };
            Error::user_error(Code::UnknownName, format!("unknown executor `{name}`"), help)
        })
    }

    /// Names of the stages that exist.
    pub fn stage_names(&self) -> Vec<String> {
        names(&self.root.join(&self.stages), |path| {
            trace::is_file(&path.join("stage.toml")).then(|| path.file_name())?
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

    /// Reads the declaration of one stage, also of the built-in one; `None` if the project has no stage of that name.
    ///
    /// # Errors
    /// Returns an error if the declaration is malformed.
    pub fn stage(&self, name: &str) -> Result<Option<StageDecl>> {
        let folder = Path::new(name);
        let is_folder_name = folder.file_name().is_some_and(|file_name| file_name == folder.as_os_str());
        if !is_folder_name || !trace::is_file(&self.root.join(&self.stages).join(folder).join("stage.toml")) {
            return (name == READ_TABLE).then(|| read_table_stage(&self.root, true)).transpose();
        }
        StageDecl::read(&self.root, &self.stages, name).map(Some)
    }

    /// Reads `<pipelines>/<folder>/<name>.toml`; errors call it a `what`, e.g. a profile.
    ///
    /// # Errors
    /// Returns an error if the file does not exist or is malformed. The help lists the names that exist.
    pub fn layer(&self, what: &str, folder: &str, name: &str) -> Result<Layer> {
        let folder = self.pipelines.join(folder);
        let known = layer_names(&self.root.join(&folder));
        if !known.iter().any(|k| k == name) {
            let help = suggest(name, known.iter().map(String::as_str));
            return Err(Error::user_error(
                Code::UnknownName,
                format!("{what} `{name}` was not found in {}", folder.join("").display()),
                help,
            ));
        }
        Layer::read(&self.root, &folder.join(format!("{name}.toml")))
    }
}

/// Names that a project cannot give to its commands.
pub const BUILT_IN: [&str; 38] = [
    "attach",
    "cancel",
    "compare",
    "completions",
    "config",
    "curate",
    "datasets",
    "debug",
    "du",
    "executors",
    "explain",
    "gc",
    "graph",
    "supervise",
    "help",
    "init",
    "inspect",
    "job",
    "jobs",
    "logs",
    "ls",
    "man",
    "metrics",
    "new",
    "pin",
    "plan",
    "read-table",
    "report",
    "run",
    "runs",
    "schema",
    "serve",
    "sheet",
    "show",
    "stages",
    "status",
    "store",
    "verify",
];

/// Returns the versions that a project requires, from a file whose other keys may be unknown or malformed.
fn requirement(source: &Arc<SourceText>) -> Option<Spanned<String>> {
    #[derive(Deserialize)]
    struct Requires {
        requires: Option<Spanned<String>>,
    }
    toml::from_str::<Requires>(&source.text).ok()?.requires
}

/// Checks that this version of callsheet is one that the project works with.
fn check_version(requires: &Spanned<String>, source: &Arc<SourceText>) -> Result<()> {
    let own = env!("CARGO_PKG_VERSION");
    let refuse = |message: String, label: &str, help: String| {
        Err(DeclarationError::new(source, requires.span(), message, label).with_help(help).into())
    };
    let Ok(accepted) = VersionReq::parse(requires.get_ref()) else {
        let message = format!("`{}` is not a valid requirement of versions", requires.get_ref());
        return refuse(message, "this requirement", "write e.g. \">=0.2, <0.4\"".to_owned());
    };
    if Version::parse(own).is_ok_and(|own| accepted.matches(&own)) {
        return Ok(());
    }
    let message = format!("this project requires callsheet {accepted}, but this program is callsheet {own}");
    refuse(message, "required here", "install a version that meets this requirement, or change it".to_owned())
}

fn check_command(name: &Spanned<String>, command: &CommandDecl, source: &Arc<SourceText>) -> Result<()> {
    check_name(name, "a command", source)?;
    let refuse = |message: String, help: &str| {
        Err(DeclarationError::new(source, name.span(), message, "this command").with_help(help).into())
    };
    if BUILT_IN.contains(&name.get_ref().as_str()) {
        return refuse(
            format!("`{}` is a built-in command of callsheet", name.get_ref()),
            "choose another name",
        );
    }
    if command.summary.trim().is_empty() || command.summary.contains(char::is_control) {
        return refuse(
            format!("the summary of `{}` is not one line of plain text", name.get_ref()),
            "write one line without control characters",
        );
    }
    Ok(())
}

/// Returns the sorted names of the TOML files in a folder, without extension; empty if the folder does not
/// exist.
pub fn layer_names(folder: &Path) -> Vec<String> {
    names(folder, |path| path.extension().is_some_and(|e| e == "toml").then(|| path.file_stem())?)
}

/// Returns the sorted names that `pick` selects among the entries of a folder; empty if the folder does not
/// exist.
fn names(folder: &Path, pick: impl Fn(&Path) -> Option<&std::ffi::OsStr>) -> Vec<String> {
    let entries = trace::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(pick(&entry.path())?.to_str()?.to_owned())).collect();
    names.sort();
    names
}
