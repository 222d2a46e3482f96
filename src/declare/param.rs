//! Parameters of a stage: type, default, bounds, documentation, role.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::scalar::Setting;

/// Effect of a change of a parameter on results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Part of the result's identity: a change leads to another result.
    #[default]
    Identity,
    /// Length of a computation, e.g. a number of steps. It is part of the result's key but not of the scratch
    /// folder's, so a larger budget resumes from the last checkpoint.
    Budget,
    /// Manner of a computation, e.g. the device. It is not part of the key, so a change invalidates nothing;
    /// it is recorded as provenance.
    Execution,
}

/// Type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// 64-bit signed integer.
    Int,
    /// 64-bit float; integers are accepted, too.
    Float,
    /// `true` or `false`.
    Bool,
    /// Text; one of `choices` if these are declared.
    String,
    /// List of values of the type `elements`.
    List,
}

/// Type of the elements of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// 64-bit signed integer.
    Int,
    /// 64-bit float; integers are accepted, too.
    Float,
    /// `true` or `false`.
    Bool,
    /// Text; one of `choices` if these are declared.
    String,
}

impl From<ElementType> for ParamType {
    fn from(elements: ElementType) -> Self {
        match elements {
            ElementType::Int => Self::Int,
            ElementType::Float => Self::Float,
            ElementType::Bool => Self::Bool,
            ElementType::String => Self::String,
        }
    }
}

/// Parameter of a stage: one `[params.NAME]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend(
    "if" = json!({ "properties": { "type": { "const": "list" } } }),
    "then" = json!({ "required": ["elements"], "properties": { "default": { "type": "array" } } }),
    "else" = json!({ "properties": {
        "elements": false, "min_length": false, "max_length": false, "default": { "not": { "type": "array" } }
    } }),
))]
pub struct ParamDecl {
    /// Type of the parameter.
    #[serde(rename = "type")]
    pub kind: ParamType,
    /// Type of the elements of a list. `min`, `max` and `choices` apply to each element. Only for `type = "list"`.
    pub elements: Option<ElementType>,
    /// Value unless a pipeline, dataset, profile or `--set` overrides it.
    #[schemars(with = "Setting")]
    pub default: toml::Spanned<toml::Value>,
    /// Smallest valid value of a number. Default: no bound.
    pub min: Option<f64>,
    /// Largest valid value of a number. Default: no bound.
    pub max: Option<f64>,
    /// Valid values of a string. Default: any text.
    #[serde(default)]
    pub choices: Vec<String>,
    /// Smallest number of elements of a list. Default: 0.
    pub min_length: Option<usize>,
    /// Largest number of elements of a list. Default: no bound.
    pub max_length: Option<usize>,
    /// Effect of a change on results. Default: `identity`.
    #[serde(default)]
    pub role: Role,
    /// Description for users, in one line: meaning, unit, typical values.
    pub doc: String,
}
