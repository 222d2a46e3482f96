//! Pipeline, dataset and profile files: layers of one format, each laid over the layer before it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use callsheet_worker::error::{DeclarationError, Result, SourceText};
use litemap::LiteMap;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::resources::ResourcesDecl;
use super::scalar::{Scalar, Setting, name_pattern};
use super::{Foreach, braced, check_name, is_name, parse_toml, read_toml};

/// Artifact that replaces a source whose pattern matches no file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// Artifact in the form `STAGE.OUTPUT`.
    #[schemars(with = "String")]
    pub artifact: Spanned<String>,
    /// Label of every result that is based on this artifact, e.g. `synthetic stand-in`. Runs and reports show
    /// it.
    pub label: String,
}

/// Raw files that stages read: one `[sources.NAME]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceUse {
    /// Pattern of the files, relative to the project, e.g. `data/raw/{dataset}/*.mp4`. `{dataset}` stands for
    /// the name of the dataset, `{NAME}` for a variable.
    #[schemars(with = "Option<String>")]
    pub path: Option<Spanned<String>>,
    /// Artifact that replaces the files if none matches `path`. Default: none.
    pub fallback: Option<Fallback>,
    /// Hint where to get the files; the error about missing files shows it.
    pub hint: Option<String>,
    /// Types of columns by name, if the files are CSV or JSON lines and a stage reads them as a table: string, bool,
    /// int32, int64, float32 or float64. Default: types are inferred from all values of a column.
    pub columns: Option<BTreeMap<String, String>>,
}

/// Use of a stage in a pipeline, or changes of this use: one `[stages.NAME]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageUse {
    /// Name of the folder that declares the stage. Default: NAME.
    #[serde(rename = "use")]
    #[schemars(with = "Option<String>")]
    pub stage: Option<Spanned<String>>,
    /// Fans the stage out: one instance for each value, or each combination of values. Default: a single
    /// instance.
    #[schemars(with = "Option<Foreach>")]
    pub foreach: Option<Spanned<Foreach>>,
    /// Source or artifact that each input reads, e.g. `footage` or `train.model`. `{NAME}` stands for a value
    /// of `foreach` or a variable.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub inputs: LiteMap<Spanned<String>, Spanned<String>>,
    /// Values of parameters; other parameters keep the value of the layer below, or their default. `{NAME}`
    /// stands for a value of `foreach` or a variable.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Setting>")]
    pub params: LiteMap<Spanned<String>, Spanned<toml::Value>>,
    /// Resources of the worker; other resources keep the value of the layer below, or that of stage.toml.
    /// `{NAME}` stands for a value of `foreach` or a variable.
    #[serde(default)]
    #[schemars(with = "ResourcesDecl")]
    pub resources: LiteMap<Spanned<String>, Spanned<toml::Value>>,
}

/// A pipeline, or a dataset or profile that is laid over a pipeline.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerFile {
    /// Summary in one line.
    summary: String,
    /// Only in a dataset: name of the file in `imports/` whose stages turn the raw files into the pipeline's
    /// input. Default: none.
    #[schemars(with = "Option<String>")]
    import: Option<Spanned<String>>,
    /// Files over which this file is laid, relative to it, e.g. `parts/encoder.toml`. They may declare what
    /// this file may declare. Default: none.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    include: Vec<Spanned<String>>,
    /// Variables by name: `{NAME}` in inputs, parameters, resources and paths stands for the value. A
    /// pipeline declares them; datasets, profiles and `--set vars.NAME=value` override them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Scalar>", extend("propertyNames" = name_pattern()))]
    vars: LiteMap<Spanned<String>, Spanned<toml::Value>>,
    /// Metadata for other programs, e.g. the address of a dataset, or settings for a command of the project.
    /// The engine only passes it on.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    metadata: toml::Table,
    /// Sources of raw files by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, SourceUse>", extend("propertyNames" = name_pattern()))]
    sources: BTreeMap<Spanned<String>, SourceUse>,
    /// Stages by name that this file adds or changes. `"NAME@VALUES"` is one instance of a stage that is
    /// fanned out, `"NAME@PATTERN"` some of its instances.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, StageUse>")]
    stages: BTreeMap<Spanned<String>, StageUse>,
}

/// A layer as written.
#[derive(Debug)]
pub struct Layer {
    /// Summary in one line.
    pub summary: String,
    /// Only of a dataset: name of the file in `imports/` whose stages turn the raw files into the pipeline's
    /// input.
    pub import: Option<Spanned<String>>,
    /// Files over which the layer is laid, relative to its own folder.
    pub include: Vec<Spanned<String>>,
    /// Variables that the layer declares or sets.
    pub vars: LiteMap<Spanned<String>, Spanned<toml::Value>>,
    /// Metadata for other programs.
    pub metadata: toml::Table,
    /// Sources of raw files by name.
    pub sources: BTreeMap<Spanned<String>, SourceUse>,
    /// Stages that the layer adds or adjusts.
    pub stages: BTreeMap<Spanned<String>, StageUse>,
    /// File that contains the layer.
    pub source: Arc<SourceText>,
}

impl Layer {
    /// Reads the layer at `path` of the project at `root`.
    ///
    /// # Errors
    /// Returns an error if the file is missing or malformed.
    pub fn read(root: &Path, path: &Path) -> Result<Self> {
        let (file, source) = read_toml(root, path)?;
        Self::check(file, source)
    }

    /// Reads a layer from text.
    ///
    /// # Errors
    /// Returns an error if the text is malformed.
    pub fn parse(source: &Arc<SourceText>) -> Result<Self> {
        Self::check(parse_toml(source)?, source.clone())
    }

    fn check(file: LayerFile, source: Arc<SourceText>) -> Result<Self> {
        file.stages.keys().try_for_each(|name| check_stage_name(name, &source))?;
        file.sources.keys().try_for_each(|name| check_name(name, "a source", &source))?;
        file.vars.iter().try_for_each(|(name, value)| check_var(name, value, &source))?;
        Ok(Self {
            summary: file.summary,
            import: file.import,
            include: file.include,
            vars: file.vars,
            metadata: file.metadata,
            sources: file.sources,
            stages: file.stages,
            source,
        })
    }
}

/// Rejects a variable whose name is not valid in `{name}`, or whose value is not valid for a parameter.
fn check_var(name: &Spanned<String>, value: &Spanned<toml::Value>, source: &Arc<SourceText>) -> Result<()> {
    check_name(name, "a variable", source)?;
    let refuse = |span, message: String, help: &str| {
        Err(DeclarationError::new(source, span, message, "this variable").with_help(help).into())
    };
    if name.get_ref() == "dataset" {
        let message = "`dataset` is not a valid name of a variable: \
                       in paths of sources, `{dataset}` is the name of the dataset";
        return refuse(name.span(), message.into(), "choose another name for the variable");
    }
    match var_problem(value.get_ref()) {
        None => Ok(()),
        Some((problem, help)) => refuse(value.span(), format!("vars.{}: {problem}", name.get_ref()), help),
    }
}

/// Returns the problem of a value that is not valid for a variable, and the remedy; `None` if it is valid.
pub fn var_problem(value: &toml::Value) -> Option<(String, &'static str)> {
    match value {
        toml::Value::String(text) => {
            let name = braced(text).find(|inner| is_name(inner))?;
            let message = format!("the value of a variable cannot contain another variable (`{{{name}}}`)");
            Some((message, "write the value instead of the other variable"))
        }
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => None,
        other => {
            let message = format!("a value of type {} is not valid for a variable", other.type_str());
            Some((message, "use a string, a number, true or false"))
        }
    }
}

/// Checks the name of a stage, or with `@` of its instances.
fn check_stage_name(name: &Spanned<String>, source: &Arc<SourceText>) -> Result<()> {
    match name.get_ref().split_once('@') {
        Some((stage, values)) if is_name(stage) && !values.is_empty() => Ok(()),
        None if name.get_ref() == "vars" => {
            let message = "`vars` is not a valid name of a stage: `--set vars.name=value` sets a variable";
            Err(DeclarationError::new(source, name.span(), message, "this name")
                .with_help("choose another name")
                .into())
        }
        _ => check_name(name, "a stage", source),
    }
}
