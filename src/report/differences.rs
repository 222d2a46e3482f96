//! Differences between two runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::metrics::Curves;
use crate::reason::differences_of;
use crate::store::{Record, RunRecord, Store};

/// Differences between two runs, by stage, one line each. Stages without differences are left out. The lines
/// refer to the runs by the names in `called`.
pub fn differences(
    store: &Store,
    (a, b): (&RunRecord, &RunRecord),
    called: [&str; 2],
) -> BTreeMap<String, Vec<String>> {
    let names: BTreeSet<&String> = a.stages.keys().chain(b.stages.keys()).collect();
    let record = |run: &RunRecord, name: &String| store.record(run.stages.get(name)?.key.as_ref()?);
    let lines =
        names.into_iter().map(|name| (name.clone(), of_stage(record(a, name), record(b, name), called)));
    lines.filter(|(_, lines)| !lines.is_empty()).collect()
}

fn of_stage(a: Option<Record>, b: Option<Record>, [first, second]: [&str; 2]) -> Vec<String> {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (None, None) => return vec!["computed in neither run, or no longer in the store".into()],
        (Some(_), None) => return vec![format!("only in {first}, or no longer in the store")],
        (None, Some(_)) => return vec![format!("only in {second}, or no longer in the store")],
    };
    let mut lines = differences_of(&a.key, &b.key);
    for (name, new) in &b.outputs {
        if let Some(old) = a.outputs.get(name).filter(|old| old.content != new.content) {
            let rows = |rows: Option<u64>| rows.map(|rows| format!(" ({rows} rows)")).unwrap_or_default();
            let (from, to) = (old.content.short(), new.content.short());
            lines.push(format!("output {name}: {from}{} → {to}{}", rows(old.rows), rows(new.rows)));
        }
    }
    lines
}

/// Last value of every metric of the stages, by `stage: name`.
pub fn last_values(curves: &Curves) -> BTreeMap<String, f64> {
    let all = curves.iter().flat_map(|(stage, curves)| curves.iter().map(move |curve| (stage, curve)));
    let last = |(stage, (name, curve)): (&String, (&String, &BTreeMap<u64, f64>))| {
        Some((format!("{stage}: {name}"), *curve.last_key_value()?.1))
    };
    all.filter_map(last).collect()
}
