//! A stage.toml as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::artifact::{InputDecl, OutputDecl};
use super::param::ParamDecl;
use super::resources::ResourcesDecl;
use super::rows::RowsDecl;
use super::scalar::name_pattern;

/// The declaration of a stage: `stages/NAME/stage.toml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StageFile {
    /// Summary in one line.
    pub(super) summary: String,
    /// To be bumped when the same inputs and parameters give another result.
    #[schemars(with = "u32")]
    pub(super) version: toml::Spanned<u32>,
    /// Reason of each version above 1, by version.
    #[serde(default)]
    pub(super) history: BTreeMap<String, String>,
    /// The program and its arguments; without a `{placeholder}` the path of request.json is appended.
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub(super) command: toml::Spanned<Vec<String>>,
    /// The user's page, Markdown.
    #[serde(default)]
    pub(super) doc: String,
    /// Inputs by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, InputDecl>", extend("propertyNames" = name_pattern()))]
    pub(super) inputs: BTreeMap<toml::Spanned<String>, InputDecl>,
    /// Outputs by name.
    #[schemars(with = "BTreeMap<String, OutputDecl>", extend("propertyNames" = name_pattern()))]
    pub(super) outputs: BTreeMap<toml::Spanned<String>, OutputDecl>,
    /// Parameters by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ParamDecl>", extend("propertyNames" = name_pattern()))]
    pub(super) params: BTreeMap<toml::Spanned<String>, ParamDecl>,
    /// Resources of its worker.
    #[serde(default)]
    pub(super) resources: ResourcesDecl,
    /// It is cheap, and its table says which rows other stages compute: `plan` runs it, to count them.
    #[serde(default)]
    pub(super) listing: bool,
    /// Makes it row-wise.
    #[schemars(with = "Option<RowsDecl>")]
    pub(super) rows: Option<toml::Spanned<RowsDecl>>,
}
