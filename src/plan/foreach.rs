//! Instances of a stage that is fanned out: their names, and what `{name}` stands for in them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use callsheet_worker::error::{Result, suggest};
use serde_json::Value as Json;
use toml::Value;

use crate::declare::{Origin, Values, is_name, value_text};

/// Stands between a stage and the values of one instance.
pub const AT: char = '@';

/// `train@v4-0`: the stage and the values of one instance.
pub fn instance_name(stage: &str, values: &Values) -> String {
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
pub fn order(a: &Values, b: &Values) -> Ordering {
    let number = |value: &Value| value.as_integer().map(|i| i as f64).or_else(|| value.as_float());
    let each = a.iter().zip(b).map(|((_, a), (_, b))| match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y).then_with(|| value_text(a).cmp(&value_text(b))),
        _ => value_text(a).cmp(&value_text(b)),
    });
    each.fold(Ordering::Equal, Ordering::then)
}

/// A parameter with every `{name}` replaced by the instance's value; alone, it keeps its type.
///
/// # Errors
/// When the stage is not fanned out over that name.
pub fn fill_value(value: Value, values: &Values, origin: &Origin) -> Result<Value> {
    let Value::String(text) = value else { return Ok(value) };
    let whole = |(name, _): &&(String, Value)| text.strip_prefix('{') == Some(&format!("{name}}}"));
    match values.iter().find(whole) {
        Some((_, value)) => Ok(value.clone()),
        None => fill_text(text, values, origin).map(Value::String),
    }
}

/// A text with every `{name}` replaced by the instance's value; `{{name}}` is the text `{name}`. Braces
/// around anything else than a name stay.
///
/// # Errors
/// When the stage is not fanned out over that name.
pub fn fill_text(text: String, values: &Values, origin: &Origin) -> Result<String> {
    if values.is_empty() {
        return Ok(text);
    }
    let mut filled = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let named = after.split_once('}').filter(|(name, _)| is_name(name));
        let literal = after.strip_prefix('{').and_then(|inside| inside.split_once("}}"));
        if let Some((name, after)) = literal.filter(|(name, _)| is_name(name)) {
            filled.push_str(&format!("{{{name}}}"));
            rest = after;
            continue;
        }
        rest = match named {
            Some((name, after)) => {
                let Some((_, value)) = values.iter().find(|(known, _)| known == name) else {
                    let known = values.iter().map(|(name, _)| name.as_str());
                    let message = format!("foreach has no value `{name}` for `{text}`");
                    let help = format!("{}; `{{{{{name}}}}}` is the text itself", suggest(name, known));
                    return Err(origin.fault(message, "in here", help));
                };
                filled.push_str(&value_text(value));
                after
            }
            None => {
                filled.push('{');
                after
            }
        };
    }
    Ok(filled + rest)
}
