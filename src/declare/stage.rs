//! `stages/<name>/stage.toml`: the one declaration of a stage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::name_pattern;
use super::{
    ChecksDecl, Origin, ParamDecl, ResourcesDecl, RowsDecl, check_name, checks, parse_toml, read_toml, rows,
};
use crate::error::{Fault, Result, SourceText, suggest};
use crate::table::parse_type;

/// What an artifact is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// One Parquet file; identified by its schema and rows.
    Table,
    /// One file; identified by its bytes.
    File,
    /// A folder; identified by the names and bytes of its files.
    Directory,
    /// Raw files matched by a source's pattern. Only an input can be this.
    Files,
}

/// How a table goes to a worker or comes from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    /// Parquet.
    #[default]
    Parquet,
    /// One JSON object a line, for workers without a Parquet library.
    Json,
}

/// How an output is shown in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// A PNG, JPEG or GIF file, or a film (MP4).
    Picture,
    /// The rows of a table. Of a column `x` beside `x_low` and `x_high`, these are the interval of its values.
    Table,
    /// Some of a table's images, evenly chosen.
    Images,
    /// Points of a table in the plane, by its columns `NAME_x` and `NAME_y`, coloured by its other columns; a column of
    /// images shows what the point under the pointer is.
    Scatter,
}

impl Figure {
    /// What an output must be to be shown so.
    pub fn of(self) -> ArtifactKind {
        match self {
            Self::Picture => ArtifactKind::File,
            Self::Table | Self::Images | Self::Scatter => ArtifactKind::Table,
        }
    }
}

/// One `[inputs.NAME]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputDecl {
    /// What the stage expects; `files` also takes a `file` artifact.
    pub kind: ArtifactKind,
    /// May be left unwired.
    #[serde(default)]
    pub optional: bool,
    /// May be wired to an output that is `held_out`.
    #[serde(default)]
    pub held_out: bool,
    /// Takes several: all instances of a stage that is fanned out, or all files of a source.
    #[serde(default)]
    pub many: bool,
    /// May be handed a table as a folder of Parquet files, each sorted by the key, instead of one.
    #[serde(default)]
    pub parts: bool,
    /// What the worker reads a table as.
    #[serde(default)]
    pub format: TableFormat,
    /// One line for the user.
    pub doc: String,
}

/// One `[outputs.NAME]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputDecl {
    /// What the stage makes.
    pub kind: ArtifactKind,
    /// Name of the file or folder as the stage writes it and as `data/out` shows it.
    pub path: String,
    /// The columns of a table, by name; see [`crate::table::check_columns`] for the types.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// What the worker writes a table as; json needs its columns declared.
    #[serde(default)]
    pub format: TableFormat,
    /// Truth that training must not see: only inputs that say `held_out` may read it.
    #[serde(default)]
    pub held_out: bool,
    /// What must hold of a table before it is published.
    #[serde(default)]
    pub checks: ChecksDecl,
    /// How reports show it; not at all unless this is said.
    pub figure: Option<Figure>,
    /// One line for the user.
    pub doc: String,
}

/// The declaration of a stage: `stages/NAME/stage.toml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StageFile {
    /// What it does, in one line.
    summary: String,
    /// To be bumped when the same inputs and parameters give another result.
    #[schemars(with = "u32")]
    version: toml::Spanned<u32>,
    /// Why each version above 1 came to be, by version.
    #[serde(default)]
    history: BTreeMap<String, String>,
    /// The program and its arguments; without a `{placeholder}` the path of request.json is appended.
    #[schemars(with = "Vec<String>", length(min = 1))]
    command: toml::Spanned<Vec<String>>,
    /// The user's page, Markdown.
    #[serde(default)]
    doc: String,
    /// What it reads.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, InputDecl>", extend("propertyNames" = name_pattern()))]
    pub(super) inputs: BTreeMap<toml::Spanned<String>, InputDecl>,
    /// What it makes.
    #[schemars(with = "BTreeMap<String, OutputDecl>", extend("propertyNames" = name_pattern()))]
    pub(super) outputs: BTreeMap<toml::Spanned<String>, OutputDecl>,
    /// What can be set.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ParamDecl>", extend("propertyNames" = name_pattern()))]
    pub(super) params: BTreeMap<toml::Spanned<String>, ParamDecl>,
    /// What a worker needs of the machine.
    #[serde(default)]
    resources: ResourcesDecl,
    /// It is cheap, and its table says which rows other stages compute: `plan` runs it, to count them.
    #[serde(default)]
    listing: bool,
    /// Makes it row-wise.
    #[schemars(with = "Option<RowsDecl>")]
    pub(super) rows: Option<toml::Spanned<RowsDecl>>,
}

/// A stage as declared.
#[derive(Debug)]
pub struct StageDecl {
    /// Name of its folder.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// The user's page, Markdown.
    pub doc: String,
    /// Bumped when the same inputs and parameters give another result.
    pub version: u32,
    /// Why each version above 1 came to be.
    pub history: BTreeMap<String, String>,
    /// The program and its first arguments; the engine appends the path of the request.
    pub command: Vec<String>,
    /// What it reads.
    pub inputs: BTreeMap<String, InputDecl>,
    /// What it makes.
    pub outputs: BTreeMap<String, OutputDecl>,
    /// What can be set.
    pub params: BTreeMap<String, ParamDecl>,
    /// What it needs of the machine.
    pub resources: ResourcesDecl,
    /// Whether `plan` runs it, to count the rows that other stages compute.
    pub listing: bool,
    /// How its rows depend on an input's, if it is row-wise.
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
        let path = &source.path;
        let version = *file.version.get_ref();
        for bump in 2..=version {
            if !file.history.contains_key(&bump.to_string()) {
                return Err(Fault::new(
                    &source,
                    file.version.span(),
                    format!("{}: version {bump} has no reason", path.display()),
                    "bumped here",
                )
                .with_help(format!("add `{bump} = \"why the result changed\"` under [history]"))
                .into());
            }
        }
        if file.command.get_ref().first().is_none_or(String::is_empty) {
            return Err(Fault::new(
                &source,
                file.command.span(),
                format!("{}: the command names no program", path.display()),
                "declared here",
            )
            .with_help("e.g. command = [\"python3\", \"stage.py\"]")
            .into());
        }
        file.inputs.keys().try_for_each(|name| check_name(name, "an input", &source))?;
        file.outputs.keys().try_for_each(|name| check_name(name, "an output", &source))?;
        file.params.keys().try_for_each(|name| check_name(name, "a parameter", &source))?;
        check_placeholders(&file, &source)?;
        rows::check(&file, &source)?;
        checks::check(&file, &source)?;
        let mut paths = BTreeSet::new();
        for (output, decl) in &file.outputs {
            let plain = decl.path.len() <= LONGEST_PATH && !decl.path.contains(char::is_control);
            let one_name = plain
                && !decl.path.is_empty()
                && Path::new(&decl.path).components().count() == 1
                && Path::new(&decl.path).file_name().is_some_and(|n| n == decl.path.as_str());
            if !one_name || decl.kind == ArtifactKind::Files {
                return Err(Fault::new(
                    &source,
                    output.span(),
                    format!("output `{}` cannot be written to `{}`", output.get_ref(), decl.path),
                    "declared here",
                )
                .with_help("`path` is one plain name; `kind` is table, file or directory")
                .into());
            }
            let bad = |message: String, help: &str| {
                Err(Fault::new(&source, output.span(), message, "declared here").with_help(help).into())
            };
            if decl.format == TableFormat::Json
                && (decl.kind != ArtifactKind::Table || decl.columns.is_empty())
            {
                let help = "format = \"json\" is for a table whose columns are declared: JSON has no types";
                return bad(format!("output `{}` cannot be made of JSON lines", output.get_ref()), help);
            }
            if let Some(figure) = decl.figure.filter(|figure| figure.of() != decl.kind) {
                let (figure, wanted) = (lowercase(figure), lowercase(figure.of()));
                let message = format!("output `{}` cannot be shown as {figure:?}", output.get_ref());
                return bad(message, &format!("figure = {figure:?} is for an output of kind = {wanted:?}"));
            }
            if let Some((column, kind)) = decl.columns.iter().find(|(_, kind)| parse_type(kind).is_none()) {
                let message = format!(
                    "column `{column}` of output `{}` has the unknown type {kind:?}",
                    output.get_ref()
                );
                return bad(message, COLUMN_TYPES);
            }
            if !paths.insert(&decl.path) {
                let message = format!("two outputs are written to `{}`", decl.path);
                return Err(Fault::new(&source, output.span(), message, "the second of them")
                    .with_help("give each output a `path` of its own")
                    .into());
            }
        }
        for (param, decl) in &file.params {
            if let Err((message, help)) = decl.accept(decl.default.get_ref()) {
                let origin = Origin::File(source.clone(), decl.default.span());
                let message = format!("default of `{}`: {message}", param.get_ref());
                return Err(origin.fault(message, "this default", help));
            }
        }
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

/// A variant as it is written in a declaration.
fn lowercase(variant: impl std::fmt::Debug) -> String {
    format!("{variant:?}").to_lowercase()
}

/// The types that columns can be declared with.
const COLUMN_TYPES: &str =
    "one of string, bool, int32, int64, float32, float64, binary, image, list<TYPE>, TYPE[LENGTH]";

/// Longest name of an output's file; file systems take 255 bytes.
const LONGEST_PATH: usize = 200;

fn scripts(folder: &Path, command: &[String]) -> Vec<(String, PathBuf)> {
    let plain = |word: &&String| Path::new(word).file_name().is_some_and(|name| name == word.as_str());
    let paths = command.iter().filter(plain).map(|word| (word.clone(), folder.join(word)));
    paths.filter(|(_, path)| path.is_file()).collect()
}

/// Every placeholder of the command names something that is declared.
fn check_placeholders(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    for word in file.command.get_ref() {
        let inputs: BTreeSet<&str> =
            placeholders(word).filter(|(kind, _)| *kind == "inputs").map(|(_, name)| name).collect();
        if inputs.len() > 1 {
            let message = format!("`{word}` names several inputs, each of which may be several files");
            let fault = Fault::new(source, file.command.span(), message, "in this command");
            return Err(fault.with_help("give each input a word of its own, and take it as \"$1\"").into());
        }
        for (kind, name) in placeholders(word) {
            let known: Vec<&str> = match kind {
                "inputs" => file.inputs.keys().map(|name| name.get_ref().as_str()).collect(),
                "outputs" => file.outputs.keys().map(|name| name.get_ref().as_str()).collect(),
                _ => file.params.keys().map(|name| name.get_ref().as_str()).collect(),
            };
            if !known.contains(&name) {
                let message = format!("the command names {kind}.{name}, which is not declared");
                let fault = Fault::new(source, file.command.span(), message, "in this command");
                return Err(fault.with_help(suggest(name, known)).into());
            }
        }
    }
    Ok(())
}

/// `(inputs, from)` for every `{inputs.from}` of a word.
fn placeholders(word: &str) -> impl Iterator<Item = (&str, &str)> {
    let inside = word.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    let pairs = inside.filter_map(|inside| inside.split_once('.'));
    pairs.filter(|(kind, _)| ["inputs", "outputs", "params"].contains(kind))
}
