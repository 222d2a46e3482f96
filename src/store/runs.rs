//! Runs that did something: `runs/<id>/run.json`, and what happened in `events.ndjson`.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Store, read_json};
use crate::error::{Error, Result, suggest};
use crate::key::Digest;

/// What became of a stage in a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StageResult {
    /// `cached`, `ran`, or `not done`.
    pub state: String,
    /// Its action, if it is done.
    pub key: Option<Digest>,
}

/// A run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RunRecord {
    /// Its name: when it began, and its process.
    pub id: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Name of the profile.
    pub profile: String,
    /// `--set` options as typed.
    pub set: Vec<String>,
    /// Seconds from beginning to end.
    pub seconds: f64,
    /// Every stage of its plan.
    pub stages: BTreeMap<String, StageResult>,
}

impl Store {
    /// Keeps a run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn write_run(&self, run: &RunRecord) -> Result<()> {
        self.write_json(&self.path("runs").join(&run.id).join("run.json"), run)
    }

    /// Runs that ended, the latest first.
    pub fn runs(&self) -> Vec<RunRecord> {
        let folders = fs::read_dir(self.path("runs")).into_iter().flatten().flatten();
        let mut runs: Vec<RunRecord> =
            folders.filter_map(|folder| read_json(&folder.path().join("run.json"))).collect();
        runs.sort_by(|a, b| b.id.cmp(&a.id));
        runs
    }

    /// The run that `name` means: its id, the beginning of it, `latest`, or `latest~2`.
    ///
    /// # Errors
    /// When there is none, or several begin so.
    pub fn find_run(&self, name: &str) -> Result<RunRecord> {
        let mut runs = self.runs();
        let back = match name.strip_prefix("latest") {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('~').and_then(|count| count.parse::<usize>().ok()),
            None => None,
        };
        if let Some(back) = back.filter(|back| *back < runs.len()) {
            return Ok(runs.swap_remove(back));
        }
        let found: Vec<&RunRecord> = runs.iter().filter(|run| run.id.starts_with(name)).collect();
        match found[..] {
            [run] => Ok(run.clone()),
            [] => {
                let help = suggest(name, runs.iter().map(|run| run.id.as_str()).take(20));
                Err(Error::refused(format!("there is no run `{name}`"), help))
            }
            _ => {
                let ids: Vec<&str> = found.iter().map(|run| run.id.as_str()).collect();
                Err(Error::refused(format!("several runs begin with `{name}`"), ids.join(", ")))
            }
        }
    }

    /// The last value of every metric that a run's workers told, by `stage: name`.
    pub fn metrics(&self, run: &RunRecord) -> BTreeMap<String, f64> {
        let events = fs::read_to_string(self.path("runs").join(&run.id).join("events.ndjson"));
        let mut metrics = BTreeMap::new();
        for line in events.unwrap_or_default().lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
            let metric = &event["said"]["metric"];
            if let (Some(stage), Some(name), Some(value)) =
                (event["stage"].as_str(), metric["name"].as_str(), metric["value"].as_f64())
            {
                metrics.insert(format!("{stage}: {name}"), value);
            }
        }
        metrics
    }
}
