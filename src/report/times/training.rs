//! What trainings told, and when.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};

use serde::Deserialize;

use super::super::subject::Subject;
use crate::store::Store;

/// What quality is told as.
pub const QUALITY: &str = "held_out/";
/// What only trainings tell.
const LOSS: &str = "loss/";

/// One line of `events.ndjson`, as far as it is of use here.
#[derive(Deserialize)]
struct Line {
    at: f64,
    event: String,
    stage: String,
    #[serde(default)]
    said: Said,
}

#[derive(Default, Deserialize)]
struct Said {
    metric: Option<Metric>,
}

/// A value that is no number is told as null: no line.
#[derive(Deserialize)]
struct Metric {
    name: String,
    step: u64,
    value: f64,
}

/// What was measured at one checkpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Step of the training.
    pub step: u64,
    /// Seconds since the training was started.
    pub seconds: f64,
    /// What was measured.
    pub value: f64,
}

/// What one training told, in the run that ended it.
#[derive(Default)]
pub struct Training {
    /// When it was started, in seconds of the run.
    pub started: f64,
    /// Steps, and when they were told, in seconds of the run.
    pub steps: Vec<(u64, f64)>,
    /// By what was measured.
    pub quality: BTreeMap<String, Vec<Measured>>,
    /// Whether an earlier run told some of its steps, so that its time is not known.
    pub continued: bool,
    /// Whether it told losses.
    pub losses: bool,
}

impl Training {
    /// Seconds from its start to the last step that it told.
    pub fn seconds(&self) -> f64 {
        self.steps.last().map_or(0.0, |(_, at)| at - self.started)
    }

    fn hear(&mut self, line: &Line) {
        if line.event == "started" {
            *self = Self { started: line.at, ..Self::default() };
        }
        let Some(Metric { name, step, value }) = &line.said.metric else { return };
        self.losses |= name.starts_with(LOSS);
        // Several metrics are told of one step.
        if self.steps.last().is_none_or(|(last, _)| last < step) {
            self.steps.push((*step, line.at));
        }
        if name.starts_with(QUALITY) {
            let measured = Measured { step: *step, seconds: line.at - self.started, value: *value };
            self.quality.entry(name.clone()).or_default().push(measured);
        }
    }

    /// Whether it is a training of several steps.
    fn trains(&self) -> bool {
        self.losses && self.steps.len() > 1
    }

    /// Says whether the run that ended it told all of its steps.
    fn compare(mut self, subject: &Subject, stage: &str) -> Self {
        let curves = subject.curves.get(stage);
        let firsts = curves.into_iter().flatten().filter_map(|(_, curve)| curve.first_key_value());
        let first = firsts.map(|(step, _)| *step).min();
        self.continued = first < self.steps.first().map(|(step, _)| *step);
        self
    }
}

/// What each training of a run told, in the order of its stages.
pub fn trainings<'a>(store: &Store, subject: &'a Subject) -> Vec<(&'a str, Training)> {
    // Instances may share what one of them made.
    let mut wanted: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for stage in &subject.stages {
        let Some(record) = stage.record.as_ref().filter(|_| subject.curves.contains_key(&stage.name)) else {
            continue;
        };
        let makers = wanted.entry(&record.provenance.run).or_default();
        makers.entry(&record.provenance.stage).or_default().push(&stage.name);
    }
    let mut found: BTreeMap<&str, Training> = BTreeMap::new();
    for (run, stages) in wanted {
        let Ok(file) = File::open(store.path("runs").join(run).join("events.ndjson")) else { continue };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        for line in lines.filter(|line| line.contains("\"metric\"") || line.contains("\"started\"")) {
            let Ok(line) = serde_json::from_str::<Line>(&line) else { continue };
            for stage in stages.get(line.stage.as_str()).into_iter().flatten() {
                found.entry(stage).or_default().hear(&line);
            }
        }
    }
    let names = subject.stages.iter().map(|stage| stage.name.as_str());
    let told = names.filter_map(|name| Some((name, found.remove(name).filter(Training::trains)?)));
    told.map(|(name, training)| (name, training.compare(subject, name))).collect()
}
