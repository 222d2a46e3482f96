//! `stages/<name>/stage.toml`: the declaration of a stage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callsheet_worker::error::{Result, SourceText};
use callsheet_worker::protocol::Declared;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::artifact::{InputDecl, OutputDecl};
use super::code::code_files;
use super::origin::{Origin, parse_toml, read_toml};
use super::param::ParamDecl;
use super::python::{PythonDecl, lock_file};
use super::resources::ResourcesDecl;
use super::rows::RowsDecl;
use super::stage_file::StageFile;
use super::valid;
use crate::trace;

/// A stage as declared.
#[derive(Debug)]
pub struct StageDecl {
    /// Name of its folder.
    pub name: String,
    /// Summary in one line.
    pub summary: String,
    /// Documentation for users, in Markdown.
    pub doc: String,
    /// Version; a change of the stage that leads to different results raises it.
    pub version: u32,
    /// Reason for each version above 1.
    pub history: BTreeMap<String, String>,
    /// Program and arguments; the engine fills their placeholders, or appends the path of the request if
    /// there are none.
    pub command: Vec<String>,
    /// Python environment in which the command runs.
    pub python: Option<PythonDecl>,
    /// Inputs by name.
    pub inputs: BTreeMap<String, InputDecl>,
    /// Outputs by name.
    pub outputs: BTreeMap<String, OutputDecl>,
    /// Parameters by name.
    pub params: BTreeMap<String, ParamDecl>,
    /// Names in the order of the file, for documentation.
    pub order: FileOrder,
    /// Resources of the worker.
    pub resources: ResourcesDecl,
    /// True if `plan` runs the stage to count the rows that other stages compute.
    pub enumerates_rows: bool,
    /// Input and output whose rows correspond, if the stage is row-wise.
    pub rows: Option<RowsDecl>,
    /// Names and absolute paths of the files in the stage's folder that the command names.
    pub scripts: Vec<(String, PathBuf)>,
    /// Names, relative to the stage's folder, and paths of the files that are the stage's code.
    pub code: Vec<(String, PathBuf)>,
    /// File that contains the declaration.
    pub source: Arc<SourceText>,
    /// True if callsheet itself is the worker.
    pub built_in: bool,
}

/// Declaration of a stage as it travels to a node of a cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StageSpec {
    name: String,
    path: PathBuf,
    /// Text of the stage.toml.
    text: String,
    files: StageFiles,
    built_in: bool,
}

/// Files that a declaration names, which are searched once.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct StageFiles {
    scripts: Vec<(String, PathBuf)>,
    code: Vec<(String, PathBuf)>,
    python: Option<PythonDecl>,
}

/// Names of a stage's tables in the order in which its file declares them.
#[derive(Debug)]
pub struct FileOrder {
    /// Inputs.
    pub inputs: Vec<String>,
    /// Outputs.
    pub outputs: Vec<String>,
    /// Parameters.
    pub params: Vec<String>,
}

impl StageDecl {
    /// Reads `<stages>/<name>/stage.toml` of the project at `root`.
    ///
    /// # Errors
    /// Returns an error if the file is missing or malformed, or contradicts itself.
    pub fn read(root: &Path, stages: &Path, name: &str) -> Result<Self> {
        let (file, source) = read_toml(root, &stages.join(name).join("stage.toml"))?;
        Self::check(file, source, name, root, &root.join(stages).join(name))
    }

    /// Returns the inputs and outputs as a request contains them.
    pub fn to_request(&self) -> Declared {
        let mut declared = Declared {
            inputs: self.inputs.iter().map(|(name, input)| (name.clone(), input.to_request())).collect(),
            outputs: self.outputs.iter().map(|(name, output)| (name.clone(), output.to_request())).collect(),
        };
        let output = self.rows.as_ref().and_then(|rows| declared.outputs.get_mut(&rows.output));
        if let Some(output) = output {
            output.row_wise = true;
        }
        declared
    }

    /// Reads the declaration of the stage `name` from text; `folder` is the folder of its scripts.
    ///
    /// # Errors
    /// Returns an error if the declaration is malformed or contradicts itself.
    pub fn parse(source: &Arc<SourceText>, name: &str, folder: &Path) -> Result<Self> {
        Self::check(parse_toml(source)?, source.clone(), name, folder, folder)
    }

    fn check(
        file: StageFile,
        source: Arc<SourceText>,
        name: &str,
        root: &Path,
        folder: &Path,
    ) -> Result<Self> {
        valid::check(&file, &source)?;
        let origin = |pattern: &Spanned<String>| Origin::File(source.clone(), pattern.span());
        let mut code = code_files(root, folder, file.files.as_deref(), origin)?;
        let python = file.python.as_ref().map(|declared| {
            let declared = declared.get_ref();
            let lock = lock_file(root, folder, &root.join(declared));
            let is_locked = lock.is_some();
            code.extend(lock.filter(|lock| !code.contains(lock)).into_iter().collect::<Vec<_>>());
            let declared_text = declared.to_string_lossy().into_owned();
            PythonDecl { folder: root.join(declared), declared: declared_text, is_locked }
        });
        let scripts = scripts(folder, file.command.get_ref());
        Ok(Self::new(file, source, name, StageFiles { scripts, code, python }))
    }

    fn new(file: StageFile, source: Arc<SourceText>, name: &str, files: StageFiles) -> Self {
        let StageFiles { scripts, code, python } = files;
        let version = *file.version.get_ref();
        let command = file.command.into_inner();
        Self {
            name: name.to_owned(),
            scripts,
            code,
            python,
            summary: file.summary,
            doc: file.doc,
            version,
            history: file.history,
            command,
            order: FileOrder {
                inputs: in_order(&file.inputs),
                outputs: in_order(&file.outputs),
                params: in_order(&file.params),
            },
            inputs: file.inputs.into_iter().map(|(k, v)| (k.into_inner(), v)).collect(),
            outputs: file.outputs.into_iter().map(|(k, v)| (k.into_inner(), v)).collect(),
            params: file.params.into_iter().map(|(k, v)| (k.into_inner(), v)).collect(),
            // A stage that only lists rows takes a moment.
            resources: ResourcesDecl {
                light: file.resources.light || file.enumerates_rows,
                ..file.resources
            },
            enumerates_rows: file.enumerates_rows,
            rows: file.rows.map(Spanned::into_inner),
            source,
            built_in: false,
        }
    }

    /// Returns what a node of a cluster needs of the declaration. The node does not read the stage's folder.
    pub fn to_spec(&self) -> StageSpec {
        StageSpec {
            name: self.name.clone(),
            path: self.source.path.clone(),
            text: self.source.text.to_string(),
            files: StageFiles {
                scripts: self.scripts.clone(),
                code: self.code.clone(),
                python: self.python.clone(),
            },
            built_in: self.built_in,
        }
    }

    /// Returns the declaration of a spec.
    ///
    /// # Errors
    /// Returns an error if its text is malformed.
    pub fn from_spec(spec: StageSpec) -> Result<Self> {
        let source = Arc::new(SourceText::new(spec.path, spec.text));
        let decl = Self::new(parse_toml(&source)?, source, &spec.name, spec.files);
        Ok(Self { built_in: spec.built_in, ..decl })
    }
}

fn in_order<T>(table: &BTreeMap<Spanned<String>, T>) -> Vec<String> {
    let mut names: Vec<&Spanned<String>> = table.keys().collect();
    names.sort_by_key(|name| name.span().start);
    names.into_iter().map(|name| name.get_ref().clone()).collect()
}

fn scripts(folder: &Path, command: &[String]) -> Vec<(String, PathBuf)> {
    // A placeholder, such as `{inputs.numbers}`, is not the name of a file.
    let plain = |word: &&String| {
        !word.starts_with('{') && Path::new(word).file_name().is_some_and(|name| name == word.as_str())
    };
    let paths = command.iter().filter(plain).map(|word| (word.clone(), folder.join(word)));
    paths.filter(|(_, path)| trace::is_file(path)).collect()
}
