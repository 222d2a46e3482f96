//! Conversion of TOML values to JSON, and parts that the JSON Schemas of several declarations share.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::origin::{LONGEST_NAME, NAME_RULE};

/// JSON Schema of a name that [`super::check_name`] accepts.
pub(super) fn name_pattern() -> Value {
    let pattern = format!("^[A-Za-z0-9_][A-Za-z0-9_-]{{0,{}}}$", LONGEST_NAME - 1);
    json!({ "pattern": pattern, "description": NAME_RULE })
}

/// Boolean, number or text.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) enum Scalar {
    Boolean(bool),
    Number(f64),
    Text(String),
}

/// Value of a parameter: a boolean, number or text, or a list of these.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) enum Setting {
    Scalar(Scalar),
    List(Vec<Scalar>),
}

/// Converts a TOML table to JSON; dates and times become strings.
pub fn json_table(table: &toml::Table) -> Map<String, Value> {
    table.iter().map(|(name, value)| (name.clone(), json_value(value))).collect()
}

fn json_value(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(truth) => Value::from(*truth),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(values) => values.iter().map(json_value).collect(),
        toml::Value::Table(table) => Value::Object(json_table(table)),
    }
}
