//! Values and order of the instances of a stage that is fanned out.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::Value;

use crate::declare::{Values, value_text};

/// Returns the label of one artifact of an input with `many = true`, e.g. `metrics[objective="v4",seed=0]`.
/// It shows the types of the instance's values.
pub fn gathered(input: &str, values: &Values) -> String {
    let values: Vec<_> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{input}[{}]", values.join(","))
}

/// Returns the values of an instance as JSON by name.
pub fn json(values: &Values) -> BTreeMap<String, Json> {
    let value = |value: &Value| match value {
        Value::Integer(i) => Json::from(*i),
        Value::Float(f) => Json::from(*f),
        Value::Boolean(b) => Json::from(*b),
        other => Json::from(value_text(other)),
    };
    values.iter().map(|(name, of)| (name.clone(), value(of))).collect()
}

/// Compares instances that are gathered: by value, numbers by size, independent of the order in `foreach`.
pub(super) fn order(a: &Values, b: &Values) -> Ordering {
    let number = |value: &Value| value.as_integer().map(|i| i as f64).or_else(|| value.as_float());
    let each = a.iter().zip(b).map(|((_, a), (_, b))| match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y).then_with(|| value_text(a).cmp(&value_text(b))),
        _ => value_text(a).cmp(&value_text(b)),
    });
    each.fold(Ordering::Equal, Ordering::then)
}
