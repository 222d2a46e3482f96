//! Pipeline, dataset and profile files: layers of one shape, each laid over the one before.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use callsheet_worker::error::{Fault, Result, SourceText};
use litemap::LiteMap;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::resources::ResourcesDecl;
use super::scalar::{Scalar, name_pattern};
use super::{Foreach, braced, check_name, is_name, parse_toml, read_toml};

/// Artifact that replaces a source whose pattern matches no file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Otherwise {
    /// `stage.output`.
    #[schemars(with = "String")]
    pub artifact: Spanned<String>,
    /// Label of everything that is based on it, e.g. `synthetic stand-in`.
    pub label: String,
}

/// One `[sources.NAME]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceUse {
    /// Pattern of files, relative to the project; `{dataset}` is the dataset's name.
    #[schemars(with = "Option<String>")]
    pub path: Option<Spanned<String>>,
    /// Artifact to use when nothing matches.
    pub otherwise: Option<Otherwise>,
    /// Hint where to get the files, for the error when there are none.
    pub obtain: Option<String>,
}

/// One `[stages.NAME]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageUse {
    /// The stage's folder; the instance's own name if left out.
    #[serde(rename = "use")]
    #[schemars(with = "Option<String>")]
    pub stage: Option<Spanned<String>>,
    /// Makes one instance for each value, or each combination of values.
    #[schemars(with = "Option<Foreach>")]
    pub foreach: Option<Spanned<Foreach>>,
    /// Wiring of each input: a source, or `stage.output`; `{name}` is a value of `foreach` or a variable.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub inputs: LiteMap<Spanned<String>, Spanned<String>>,
    /// Parameters that differ from the layer below; `{name}` is a value of `foreach`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Scalar>")]
    pub params: LiteMap<Spanned<String>, Spanned<toml::Value>>,
    /// Resources that differ from its stage.toml; `{name}` is a value of `foreach` or a variable.
    #[serde(default)]
    #[schemars(with = "ResourcesDecl")]
    pub resources: LiteMap<Spanned<String>, Spanned<toml::Value>>,
}

/// A pipeline, or a dataset or profile that is laid over one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerFile {
    /// Summary in one line.
    summary: String,
    /// Of a dataset: the file in `imports/` whose stages make the pipeline's input of raw files.
    #[schemars(with = "Option<String>")]
    import: Option<Spanned<String>>,
    /// Files that this one is laid over, relative to it: `parts/encoder.toml`. Each declares what a file of this kind may.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    include: Vec<Spanned<String>>,
    /// Variables: `{name}` in inputs, parameters, resources and paths stands for the value. A pipeline declares them;
    /// datasets, profiles and `--set vars.name=value` override them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Scalar>", extend("propertyNames" = name_pattern()))]
    vars: LiteMap<Spanned<String>, Spanned<toml::Value>>,
    /// What other programs know of it: where a dataset is fetched, what a command of the project says of a pipeline. Not
    /// read here.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    metadata: toml::Table,
    /// Raw files it names.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, SourceUse>", extend("propertyNames" = name_pattern()))]
    sources: BTreeMap<Spanned<String>, SourceUse>,
    /// Stages it uses or adjusts; with `@` one instance of a stage that is fanned out.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, StageUse>")]
    stages: BTreeMap<Spanned<String>, StageUse>,
}

/// A layer as written.
#[derive(Debug)]
pub struct Layer {
    /// Summary in one line.
    pub summary: String,
    /// Of a dataset: the file in `imports/` whose stages make the pipeline's input of raw files.
    pub import: Option<Spanned<String>>,
    /// Files that it is laid over, relative to its own folder.
    pub include: Vec<Spanned<String>>,
    /// Variables that it declares or sets.
    pub vars: LiteMap<Spanned<String>, Spanned<toml::Value>>,
    /// Metadata for other programs.
    pub metadata: toml::Table,
    /// Raw files it names.
    pub sources: BTreeMap<Spanned<String>, SourceUse>,
    /// Stages it uses or adjusts.
    pub stages: BTreeMap<Spanned<String>, StageUse>,
    /// The file it was read from.
    pub source: Arc<SourceText>,
}

impl Layer {
    /// Reads the layer at `path` of the project at `root`.
    ///
    /// # Errors
    /// When the file is missing or malformed.
    pub fn read(root: &Path, path: &Path) -> Result<Self> {
        let (file, source) = read_toml(root, path)?;
        Self::check(file, source)
    }

    /// Reads a layer from text.
    ///
    /// # Errors
    /// When it is malformed.
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

/// Refuses a variable that could not be written as `{name}`, or whose value could not be a parameter's.
fn check_var(name: &Spanned<String>, value: &Spanned<toml::Value>, source: &Arc<SourceText>) -> Result<()> {
    check_name(name, "a variable", source)?;
    let refuse = |span, message: String, help: &str| {
        Err(Fault::new(source, span, message, "this variable").with_help(help).into())
    };
    if name.get_ref() == "dataset" {
        let message = "`dataset` is not a valid variable: it is the name of the dataset in paths of sources";
        return refuse(name.span(), message.into(), "choose another name");
    }
    match var_problem(value.get_ref()) {
        None => Ok(()),
        Some((problem, help)) => refuse(value.span(), format!("vars.{}: {problem}", name.get_ref()), help),
    }
}

/// Returns why a value cannot be a variable's, and what can; `None` if it can.
pub fn var_problem(value: &toml::Value) -> Option<(String, &'static str)> {
    match value {
        toml::Value::String(text) => {
            let name = braced(text).find(|inner| is_name(inner))?;
            Some((format!("`{{{name}}}` is not filled in the value of a variable"), "write the value itself"))
        }
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => None,
        other => {
            let message = format!("{} is not a valid value", other.type_str());
            Some((message, "use a text, a number, true or false"))
        }
    }
}

/// A stage, or with `@` one of its instances.
fn check_stage_name(name: &Spanned<String>, source: &Arc<SourceText>) -> Result<()> {
    match name.get_ref().split_once('@') {
        Some((stage, values)) if is_name(stage) && !values.is_empty() => Ok(()),
        None if name.get_ref() == "vars" => {
            let message = "`vars` is not a valid name of a stage: `--set vars.name=value` sets a variable";
            Err(Fault::new(source, name.span(), message, "this name").with_help("choose another name").into())
        }
        _ => check_name(name, "a stage", source),
    }
}
