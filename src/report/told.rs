//! What a run told of itself, read from its events: all there is of one that has not ended.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};

use callsheet_worker::digest::Digest;
use serde::Deserialize;

use crate::store::{RunRecord, StageResult, Store};

/// One line of `events.ndjson`, as far as it is of use here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    at: f64,
    event: String,
    stage: String,
    key: Option<Digest>,
    message: String,
    pipeline: String,
    dataset: String,
    profile: String,
    set: Vec<String>,
}

/// A run by its events.
pub(super) struct Told {
    /// As far as it came.
    pub run: RunRecord,
    /// What is wrong with stages that failed.
    pub messages: BTreeMap<String, String>,
}

impl Told {
    /// What the run `id` told; a line that is cut off is none.
    pub(super) fn read(store: &Store, id: &str) -> Self {
        let run = RunRecord {
            id: id.to_owned(),
            pipeline: String::new(),
            dataset: String::new(),
            profile: String::new(),
            set: Vec::new(),
            seconds: 0.0,
            stages: BTreeMap::new(),
        };
        let mut told = Self { run, messages: BTreeMap::new() };
        let Ok(file) = File::open(store.path("runs").join(id).join("events.ndjson")) else { return told };
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            // What workers said is most of it.
            if !line.contains("\"event\":\"worker\"") {
                serde_json::from_str(&line).into_iter().for_each(|line| told.hear(line));
            }
        }
        told
    }

    fn hear(&mut self, line: Line) {
        self.run.seconds = line.at;
        let (state, key) = match line.event.as_str() {
            "run_started" => {
                let Line { pipeline, dataset, profile, set, .. } = line;
                self.run = RunRecord { pipeline, dataset, profile, set, ..self.run.clone() };
                return;
            }
            "cached" => ("cached", line.key),
            "finished" => ("ran", line.key),
            // Its key is that of a result that is not there yet.
            "started" => ("running", None),
            state @ ("failed" | "stopped" | "blocked") => (state, None),
            _ => return,
        };
        if state == "failed" {
            self.messages.insert(line.stage.clone(), line.message);
        }
        self.run.stages.insert(line.stage, StageResult { state: state.to_owned(), key });
    }
}
