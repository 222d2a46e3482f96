//! Contents of a stage.toml as written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::artifact::{InputDecl, OutputDecl};
use super::param::ParamDecl;
use super::resources::ResourcesDecl;
use super::rows::RowsDecl;
use super::scalar::name_pattern;

/// Declaration of a stage: `stages/NAME/stage.toml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StageFile {
    /// Summary in one line.
    pub(super) summary: String,
    /// Version of the stage. Raise it when the stage computes another result from the same inputs and
    /// parameters: earlier results are then stale.
    #[schemars(with = "u32")]
    pub(super) version: toml::Spanned<u32>,
    /// Reason for each version above 1, by version. Every version from 2 must have one.
    #[serde(default)]
    pub(super) history: BTreeMap<String, String>,
    /// Program and arguments. The engine fills `{inputs.NAME}`, `{outputs.NAME}`, `{params.NAME}`,
    /// `{scratch}`, `{cpus}` and `{request}`. A list becomes one argument for each element. Without a placeholder,
    /// the engine appends the path of request.json.
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub(super) command: toml::Spanned<Vec<String>>,
    /// Files that are the stage's code: patterns relative to its folder. A change of one of them invalidates the
    /// stage's results. `**` stands for the default: all files of the folder except stage.toml, README*, tests/,
    /// test_*, hidden files and caches. `[]`: no file, because `version` alone identifies the code.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) files: Option<Vec<toml::Spanned<String>>>,
    /// Python environment in which the command runs: a folder such as `.venv`, relative to the project. Its programs
    /// precede all others, and its lock file is part of the stage's code: the first of uv.lock, poetry.lock, pdm.lock,
    /// pylock.toml, Pipfile.lock, requirements.lock and requirements.txt next to the folder. Default: none.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(super) python: Option<toml::Spanned<PathBuf>>,
    /// Documentation for users, in Markdown. Default: empty.
    #[serde(default)]
    pub(super) doc: String,
    /// Inputs by name. Default: none.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, InputDecl>", extend("propertyNames" = name_pattern()))]
    pub(super) inputs: BTreeMap<toml::Spanned<String>, InputDecl>,
    /// Outputs by name.
    #[schemars(with = "BTreeMap<String, OutputDecl>", extend("propertyNames" = name_pattern()))]
    pub(super) outputs: BTreeMap<toml::Spanned<String>, OutputDecl>,
    /// Parameters by name. Default: none.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ParamDecl>", extend("propertyNames" = name_pattern()))]
    pub(super) params: BTreeMap<toml::Spanned<String>, ParamDecl>,
    /// Resources of the stage's worker. Default: one CPU, no reserved memory, no GPU, no time limit, no
    /// retries.
    #[serde(default)]
    pub(super) resources: ResourcesDecl,
    /// True if the stage is cheap and its table determines which rows other stages compute. `callsheet plan`
    /// then runs it to count these rows. Default: false.
    #[serde(default)]
    pub(super) enumerates_rows: bool,
    /// Makes the stage row-wise: its worker computes only the rows that the store lacks. Default: not
    /// row-wise.
    #[schemars(with = "Option<RowsDecl>")]
    pub(super) rows: Option<toml::Spanned<RowsDecl>>,
}
