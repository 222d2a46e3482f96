//! Names and order of the instances of a stage that is fanned out.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::Value;

use crate::declare::{Values, value_text};

/// Stands between a stage and the values of one instance.
pub(super) const AT: char = '@';

/// `train@v4-0`: the stage and the values of one instance.
pub(super) fn instance_name(stage: &str, values: &Values) -> String {
    format!("{stage}{AT}{}", suffix(values))
}

/// The stage that an instance is of.
pub fn group(instance: &str) -> &str {
    instance.split(AT).next().unwrap_or_default()
}

/// `v4-0`: the values of one instance; empty for a stage that is not fanned out.
pub fn suffix(values: &Values) -> String {
    values.iter().map(|(_, value)| value_text(value)).collect::<Vec<_>>().join("-")
}

/// `metrics[objective="v4",seed=0]`: what one instance gives to an input that takes many, with the
/// types of its values.
pub fn gathered(input: &str, values: &Values) -> String {
    let values: Vec<_> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{input}[{}]", values.join(","))
}

/// The values of one instance by name.
pub fn json(values: &Values) -> BTreeMap<String, Json> {
    let value = |value: &Value| match value {
        Value::Integer(i) => Json::from(*i),
        Value::Float(f) => Json::from(*f),
        Value::Boolean(b) => Json::from(*b),
        other => Json::from(value_text(other)),
    };
    values.iter().map(|(name, of)| (name.clone(), value(of))).collect()
}

/// The order in which instances are gathered: by value, numbers by size, whatever the order of `foreach`.
pub(super) fn order(a: &Values, b: &Values) -> Ordering {
    let number = |value: &Value| value.as_integer().map(|i| i as f64).or_else(|| value.as_float());
    let each = a.iter().zip(b).map(|((_, a), (_, b))| match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y).then_with(|| value_text(a).cmp(&value_text(b))),
        _ => value_text(a).cmp(&value_text(b)),
    });
    each.fold(Ordering::Equal, Ordering::then)
}
