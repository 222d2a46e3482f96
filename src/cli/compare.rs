//! `callsheet compare`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::json;

use super::{SUCCESS, print_json, print_text, title};
use crate::declare::Project;
use crate::error::Result;
use crate::metrics::{Curve, curves};
use crate::reason::differences_of;
use crate::store::{Record, RunRecord, Store};

/// Compare two runs: parameters, artifacts, metrics
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet ls --runs
  callsheet compare latest~1 latest
  callsheet compare 2026-11-23T10 2026-11-23T11 --json")]
pub struct Compare {
    /// A run: its id, the beginning of it, `latest`, or `latest~1` for the one before
    run_a: String,
    /// Another run
    run_b: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub fn execute(&self) -> Result<u8> {
        let store = super::store(&Project::find()?);
        let (a, b) = (store.find_run(&self.run_a)?, store.find_run(&self.run_b)?);
        let names: BTreeSet<&String> = a.stages.keys().chain(b.stages.keys()).collect();
        let mut stages = BTreeMap::new();
        for name in names {
            let record = |run: &RunRecord| store.record(run.stages.get(name)?.key.as_ref()?);
            let lines = compare(record(&a), record(&b));
            if !lines.is_empty() {
                stages.insert(name.clone(), lines);
            }
        }
        let (before, after) = (last_values(&store, &a), last_values(&store, &b));
        let both = before.iter().filter_map(|(name, old)| Some((name, *old, *after.get(name)?)));
        let metrics: Vec<_> = both.filter(|(_, old, new)| old != new).collect();
        if self.json {
            let metrics =
                metrics.iter().map(|(name, old, new)| json!({ "metric": name, "a": old, "b": new }));
            let metrics: Vec<_> = metrics.collect();
            print_json(&json!({ "a": a, "b": b, "stages": stages, "metrics": metrics }));
            return Ok(SUCCESS);
        }
        for (letter, run) in [("a", &a), ("b", &b)] {
            print_text(&format!("{letter}  {}  {}", run.id, describe(run)));
        }
        for (stage, lines) in &stages {
            print_text(&format!("\n{stage}"));
            lines.iter().for_each(|line| print_text(&format!("  {line}")));
        }
        if !metrics.is_empty() {
            print_text(&format!("\n{:<48} {:>12} {:>12}", "last value", "a", "b"));
        }
        for (name, old, new) in metrics {
            print_text(&format!("{name:<48} {old:>12.5} {new:>12.5}"));
        }
        if stages.is_empty() {
            print_text("\nthe same results");
        }
        Ok(SUCCESS)
    }
}

/// The last value of everything that a run's stages measured, by `stage: name`.
fn last_values(store: &Store, run: &RunRecord) -> BTreeMap<String, f64> {
    let curves = curves(store, &run.id, Some(run));
    let of_stage = |(stage, curves): (String, BTreeMap<String, Curve>)| {
        let last =
            |(name, curve): (String, Curve)| Some((format!("{stage}: {name}"), *curve.last_key_value()?.1));
        curves.into_iter().filter_map(last).collect::<Vec<_>>()
    };
    curves.into_iter().flat_map(of_stage).collect()
}

/// What a run was of: `synthesis on space_needle, profile demo, --set train.margin=0.2`.
pub fn describe(run: &RunRecord) -> String {
    let text = title(&run.pipeline, &run.dataset, &run.profile);
    run.set.iter().fold(text, |text, set| format!("{text}, --set {set}"))
}

fn compare(a: Option<Record>, b: Option<Record>) -> Vec<String> {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (None, None) => return Vec::new(),
        (Some(_), None) => return vec!["only in a, or no longer in the store".into()],
        (None, Some(_)) => return vec!["only in b, or no longer in the store".into()],
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
