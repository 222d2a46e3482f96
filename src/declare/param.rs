//! Parameters of a stage: type, default, bounds, documentation, role.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scalar::Scalar;

/// Effect of a change of a parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Part of the result's identity: a change is another result.
    #[default]
    Identity,
    /// How far to go along a course that the identity fixes: part of the result's key, not of
    /// its scratch folder's, so that going further continues.
    Budget,
    /// How, not what: not in the key, recorded as provenance.
    Execution,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// 64-bit signed integer.
    Int,
    /// 64-bit float; an integer is taken as one.
    Float,
    /// `true` or `false`.
    Bool,
    /// Text; one of `choices` where those are declared.
    String,
}

/// One `[params.NAME]` table of a stage.toml.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParamDecl {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParamType,
    /// Its value unless a pipeline, dataset, profile or `--set` says otherwise.
    #[schemars(with = "Scalar")]
    pub default: toml::Spanned<toml::Value>,
    /// Smallest value allowed.
    pub min: Option<f64>,
    /// Largest value allowed.
    pub max: Option<f64>,
    /// The values allowed, for a string.
    #[serde(default)]
    pub choices: Vec<String>,
    /// Effect of a change.
    #[serde(default)]
    pub role: Role,
    /// One line for the user.
    pub doc: String,
}

impl ParamDecl {
    /// The value as JSON, if it has the declared type and lies in the declared bounds.
    ///
    /// # Errors
    /// Returns what is wrong with the value, and the remedy.
    pub fn accept(&self, value: &toml::Value) -> Result<Value, (String, String)> {
        let accepted = match (self.kind, value) {
            (ParamType::Int, toml::Value::Integer(i)) => Value::from(*i),
            (ParamType::Float, toml::Value::Integer(i)) => Value::from(*i as f64),
            (ParamType::Float, toml::Value::Float(f)) if f.is_finite() => Value::from(*f),
            (ParamType::Bool, toml::Value::Boolean(b)) => Value::from(*b),
            (ParamType::String, toml::Value::String(s)) => Value::from(s.as_str()),
            _ => {
                return Err((
                    format!("`{value}` is not of type {}", self.type_name()),
                    format!("{}, e.g. {}", self.wanted(), self.default.get_ref()),
                ));
            }
        };
        let number = accepted.as_f64();
        let low = self.min.zip(number).is_some_and(|(min, n)| n < min);
        let high = self.max.zip(number).is_some_and(|(max, n)| n > max);
        let foreign = !self.choices.is_empty()
            && accepted.as_str().is_some_and(|s| !self.choices.iter().any(|c| c == s));
        if low || high || foreign {
            return Err((format!("{value} is out of bounds"), self.wanted()));
        }
        Ok(accepted)
    }

    /// Description of valid values, for help and errors.
    pub fn wanted(&self) -> String {
        let bounds = match (self.min, self.max) {
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
            (Some(min), None) => format!(" of at least {min}"),
            (None, Some(max)) => format!(" of at most {max}"),
            (None, None) if !self.choices.is_empty() => {
                return format!("one of: {}", self.choices.join(", "));
            }
            (None, None) => String::new(),
        };
        format!("{} {}{bounds}", if self.kind == ParamType::Int { "an" } else { "a" }, self.type_name())
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            ParamType::Int => "integer",
            ParamType::Float => "number",
            ParamType::Bool => "boolean",
            ParamType::String => "string",
        }
    }
}
