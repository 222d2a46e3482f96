//! `stages/<name>/stage.toml`: the one declaration of a stage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callsheet_worker::error::{Result, SourceText};

use super::artifact::{InputDecl, OutputDecl};
use super::origin::{parse_toml, read_toml};
use super::param::ParamDecl;
use super::resources::ResourcesDecl;
use super::rows::RowsDecl;
use super::stage_file::StageFile;
use super::valid;

/// A stage as declared.
#[derive(Debug)]
pub struct StageDecl {
    /// Name of its folder.
    pub name: String,
    /// Summary in one line.
    pub summary: String,
    /// The user's page, Markdown.
    pub doc: String,
    /// Bumped when the same inputs and parameters give another result.
    pub version: u32,
    /// Reason of each version above 1.
    pub history: BTreeMap<String, String>,
    /// The program and its first arguments; the engine appends the path of the request.
    pub command: Vec<String>,
    /// Inputs by name.
    pub inputs: BTreeMap<String, InputDecl>,
    /// Outputs by name.
    pub outputs: BTreeMap<String, OutputDecl>,
    /// Parameters by name.
    pub params: BTreeMap<String, ParamDecl>,
    /// Resources of its worker.
    pub resources: ResourcesDecl,
    /// True if `plan` runs it, to count the rows that other stages compute.
    pub listing: bool,
    /// Row-wise computation: the input and the output whose rows belong together.
    pub rows: Option<RowsDecl>,
    /// Files of its folder that the command names, with their absolute paths.
    pub scripts: Vec<(String, PathBuf)>,
    /// The file it was read from.
    pub source: Arc<SourceText>,
}

impl StageDecl {
    /// Reads `<stages>/<name>/stage.toml` of the project at `root`.
    ///
    /// # Errors
    /// When the file is missing, malformed, or contradicts itself.
    pub fn read(root: &Path, stages: &Path, name: &str) -> Result<Self> {
        let (file, source) = read_toml(root, &stages.join(name).join("stage.toml"))?;
        Self::check(file, source, name, &root.join(stages).join(name))
    }

    /// Reads the declaration of the stage `name` from text; `folder` is where its scripts would lie.
    ///
    /// # Errors
    /// When it is malformed, or contradicts itself.
    pub fn parse(source: &Arc<SourceText>, name: &str, folder: &Path) -> Result<Self> {
        Self::check(parse_toml(source)?, source.clone(), name, folder)
    }

    fn check(file: StageFile, source: Arc<SourceText>, name: &str, folder: &Path) -> Result<Self> {
        valid::check(&file, &source)?;
        let version = *file.version.get_ref();
        let command = file.command.into_inner();
        Ok(Self {
            name: name.to_owned(),
            scripts: scripts(folder, &command),
            summary: file.summary,
            doc: file.doc,
            version,
            history: file.history,
            command,
            inputs: file.inputs.into_iter().map(|(k, v)| (k.into_inner(), v)).collect(),
            outputs: file.outputs.into_iter().map(|(k, v)| (k.into_inner(), v)).collect(),
            params: file.params.into_iter().map(|(k, v)| (k.into_inner(), v)).collect(),
            resources: file.resources,
            listing: file.listing,
            rows: file.rows.map(toml::Spanned::into_inner),
            source,
        })
    }
}

fn scripts(folder: &Path, command: &[String]) -> Vec<(String, PathBuf)> {
    let plain = |word: &&String| Path::new(word).file_name().is_some_and(|name| name == word.as_str());
    let paths = command.iter().filter(plain).map(|word| (word.clone(), folder.join(word)));
    paths.filter(|(_, path)| path.is_file()).collect()
}
