//! Differences between two keys: the reasons why a stage must run.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_worker::digest::Digest;
use serde_json::Value;

use crate::key::ActionKey;

/// Returns the differences between two keys, one per line; old values come first. Inputs are shown by their digests.
pub fn differences_of(old: &ActionKey, new: &ActionKey) -> Vec<String> {
    differences_named(old, new, |_| None)
}

/// Returns the differences between two keys, as [`differences_of`] does. `change` describes how an input changed, if it
/// is known.
pub fn differences_named(
    old: &ActionKey,
    new: &ActionKey,
    change: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if old.stage != new.stage {
        reasons.push(format!("stage: {} → {}", old.stage, new.stage));
    }
    if old.version != new.version {
        reasons.push(format!("stage version: {} → {}", old.version, new.version));
    }
    if old.command != new.command {
        reasons.push(format!("command: {} → {}", old.command.join(" "), new.command.join(" ")));
    }
    if old.python != new.python {
        let text = |python: &Option<String>| python.clone().unwrap_or_else(|| "none".to_owned());
        reasons.push(format!("python: {} → {}", text(&old.python), text(&new.python)));
    }
    if old.format != new.format {
        reasons.push(format!("key format: {} → {}", old.format, new.format));
    }
    differences(&mut reasons, "file ", &old.code, &new.code, Digest::short);
    let columns = |columns: &BTreeMap<String, String>| {
        columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join(", ")
    };
    differences(&mut reasons, "columns of ", &old.columns, &new.columns, columns);
    differences(&mut reasons, "", &old.params, &new.params, Value::to_string);
    differences(&mut reasons, "", &old.budget, &new.budget, Value::to_string);
    input_differences(&mut reasons, old, new, change);
    if old.rows != new.rows {
        reasons.push("[rows] in stage.toml: changed".into());
    }
    if old.labels != new.labels {
        let text = |labels: &BTreeSet<String>| {
            if labels.is_empty() {
                "raw data".to_owned()
            } else {
                labels.iter().cloned().collect::<Vec<_>>().join(", ")
            }
        };
        reasons.push(format!("based on: {} → {}", text(&old.labels), text(&new.labels)));
    }
    reasons
}

fn input_differences(
    reasons: &mut Vec<String>,
    old: &ActionKey,
    new: &ActionKey,
    change: impl Fn(&str) -> Option<String>,
) {
    let names: BTreeSet<&String> = old.inputs.keys().chain(new.inputs.keys()).collect();
    for name in names {
        let line = match (old.inputs.get(name), new.inputs.get(name)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(old), Some(new)) => {
                change(name).unwrap_or_else(|| format!("{} → {}", old.short(), new.short()))
            }
            (Some(_), None) => "removed".to_owned(),
            _ => "new".to_owned(),
        };
        reasons.push(format!("input {name}: {line}"));
    }
}

fn differences<T: PartialEq>(
    reasons: &mut Vec<String>,
    what: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    show: impl Fn(&T) -> String,
) {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => {
                reasons.push(format!("{what}{name}: {} → {}", show(old), show(new)));
            }
            (Some(_), None) => reasons.push(format!("{what}{name}: removed")),
            (None, Some(new)) => reasons.push(format!("{what}{name}: new, {}", show(new))),
            (None, None) => {}
        }
    }
}
