//! Parameters of a stage: type, default, bounds, documentation, role.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scalar::Scalar;

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
}

/// Parameter of a stage: one `[params.NAME]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParamDecl {
    /// Type of the parameter.
    #[serde(rename = "type")]
    pub kind: ParamType,
    /// Value unless a pipeline, dataset, profile or `--set` overrides it.
    #[schemars(with = "Scalar")]
    pub default: toml::Spanned<toml::Value>,
    /// Smallest valid value of a number. Default: no bound.
    pub min: Option<f64>,
    /// Largest valid value of a number. Default: no bound.
    pub max: Option<f64>,
    /// Valid values of a string. Default: any text.
    #[serde(default)]
    pub choices: Vec<String>,
    /// Effect of a change on results. Default: `identity`.
    #[serde(default)]
    pub role: Role,
    /// Description for users, in one line: meaning, unit, typical values.
    pub doc: String,
}

impl ParamDecl {
    /// Returns the value as JSON if it has the declared type and is within the declared bounds.
    ///
    /// # Errors
    /// Returns the problem of the value, and the remedy.
    pub fn accept(&self, value: &toml::Value) -> Result<Value, (String, String)> {
        let accepted = match (self.kind, value) {
            (ParamType::Int, toml::Value::Integer(i)) => Value::from(*i),
            (ParamType::Float, toml::Value::Integer(i)) => Value::from(*i as f64),
            (ParamType::Float, toml::Value::Float(f)) if f.is_finite() => Value::from(*f + 0.0), // -0.0 is 0.0
            (ParamType::Bool, toml::Value::Boolean(b)) => Value::from(*b),
            (ParamType::String, toml::Value::String(s)) => Value::from(s.as_str()),
            _ => {
                return Err((
                    format!("`{value}` is not of type {}", self.type_name()),
                    format!("use {}, e.g. {}", self.wanted(), self.default.get_ref()),
                ));
            }
        };
        let number = accepted.as_f64();
        let low = self.min.zip(number).is_some_and(|(min, n)| n < min);
        let high = self.max.zip(number).is_some_and(|(max, n)| n > max);
        let foreign = !self.choices.is_empty()
            && accepted.as_str().is_some_and(|s| !self.choices.iter().any(|c| c == s));
        if low || high || foreign {
            return Err((format!("`{value}` is not a valid value"), format!("use {}", self.wanted())));
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
