//! Comparison of the key of a stored result with the key that the stage has now.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::key::ActionKey;

/// Part of two keys, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyPart {
    /// Name, e.g. `param rate` or `input orders`.
    pub name: String,
    /// Value in the key of the stored result.
    pub stored: Option<String>,
    /// Value in the current key.
    pub current: Option<String>,
    /// True if both keys are known and the values differ.
    pub changed: bool,
}

/// Returns the parts of two keys in the order of their names, without those that are empty in both. A stage whose inputs are
/// not known yet has no current key.
pub fn compare(stored: Option<&ActionKey>, current: Option<&ActionKey>) -> Vec<KeyPart> {
    let (left, right) = (rows(stored), rows(current));
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let part = |name: &String| {
        let (stored, now) = (left.get(name).cloned(), right.get(name).cloned());
        let is_empty = [&stored, &now].iter().all(|value| value.as_ref().is_none_or(String::is_empty));
        let changed = current.is_some() && stored != now;
        (!is_empty).then(|| KeyPart { name: name.clone(), stored, current: now, changed })
    };
    names.into_iter().filter_map(part).collect()
}

/// Returns the parts of a key by name, as text.
fn rows(key: Option<&ActionKey>) -> BTreeMap<String, String> {
    let Some(key) = key else { return BTreeMap::new() };
    let mut rows = BTreeMap::from([
        ("key".to_owned(), key.digest().short()),
        ("stage".to_owned(), key.stage.clone()),
        ("version".to_owned(), key.version.to_string()),
        ("command".to_owned(), key.command.join(" ")),
        ("based on".to_owned(), key.labels.iter().cloned().collect::<Vec<_>>().join(", ")),
    ]);
    let values = key.params.iter().map(|(name, value)| ("param", name, value));
    for (kind, name, value) in values.chain(key.budget.iter().map(|(name, value)| ("budget", name, value))) {
        rows.insert(format!("{kind} {name}"), Value::to_string(value));
    }
    let digests = key.inputs.iter().map(|(name, digest)| ("input", name, digest));
    for (kind, name, digest) in digests.chain(key.code.iter().map(|(name, digest)| ("file", name, digest))) {
        rows.insert(format!("{kind} {name}"), digest.short());
    }
    rows
}
