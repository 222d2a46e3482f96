//! Parts of the JSON Schemas of several declarations.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::origin::{LONGEST_NAME, NAME_RULE};

/// What [`super::check_name`] asks for.
pub(super) fn name_pattern() -> Value {
    let pattern = format!("^[A-Za-z0-9_][A-Za-z0-9_-]{{0,{}}}$", LONGEST_NAME - 1);
    json!({ "pattern": pattern, "description": NAME_RULE })
}

/// The value of a parameter.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is wanted")]
pub(super) enum Scalar {
    Boolean(bool),
    Number(f64),
    Text(String),
}
