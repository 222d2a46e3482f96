//! Events of trainings, with their times.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use callsheet_worker::report::{Made, Run};
use serde::Deserialize;

/// Prefix of metrics that measure quality.
pub(super) const QUALITY: &str = "held_out/";
/// Prefix of metrics that only trainings report.
const LOSS: &str = "loss/";

/// Names of events and keys. Only lines that contain one of them are parsed.
const HEARD: [&str; 4] = ["\"metric\"", "\"started\"", "\"retrying\"", "\"finished\""];

/// One line of `events.ndjson`, with the fields that are used here.
#[derive(Deserialize)]
struct Line {
    at: f64,
    event: String,
    stage: String,
    #[serde(default)]
    resumes: bool,
    #[serde(default)]
    said: LogEvent,
}

#[derive(Default, Deserialize)]
struct LogEvent {
    metric: Option<Metric>,
}

/// Reported value. NaN and infinity are written as null, so their lines do not parse and are skipped.
#[derive(Deserialize)]
struct Metric {
    name: String,
    step: u64,
    value: f64,
}

/// Measurement at one checkpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// Seconds since the training was started.
    pub seconds: f64,
    /// Measured value.
    pub value: f64,
}

/// Events of one training, in the run that ended it.
#[derive(Default)]
pub(super) struct Training {
    /// Time of the start, in seconds since the start of the run.
    pub started: f64,
    /// Time of the end, in seconds since the start of the run; the time of the latest event until then.
    pub ended: f64,
    /// Steps, and the times when they were reported, in seconds since the start of the run.
    pub steps: Vec<(u64, f64)>,
    /// Measurements of each metric of quality.
    pub quality: BTreeMap<String, Vec<Measured>>,
    /// True if the training resumed from a checkpoint, so that its time is not known.
    pub continued: bool,
    /// True if the stage reported losses.
    pub losses: bool,
    /// Run that computed the result, and the name of the stage there.
    pub made_by: [String; 2],
    /// Conditions: host, CPUs, device and the like.
    pub conditions: BTreeMap<String, String>,
}

impl Training {
    fn new(made: &Made) -> Self {
        let Made { run, stage, conditions, .. } = made;
        Self { made_by: [run.clone(), stage.clone()], conditions: conditions.clone(), ..Self::default() }
    }

    /// Seconds from the start to the end of the training.
    pub(super) fn seconds(&self) -> f64 {
        self.ended - self.started
    }

    fn hear(&mut self, line: &Line) {
        self.ended = line.at;
        match line.event.as_str() {
            "started" => self.begin(line.at, line.resumes),
            "retrying" => self.begin(line.at, true),
            _ => {}
        }
        let Some(Metric { name, step, value }) = &line.said.metric else { return };
        self.losses |= name.starts_with(LOSS);
        // Several metrics are reported for one step.
        if self.steps.last().is_none_or(|(last, _)| last < step) {
            self.steps.push((*step, line.at));
        }
        if name.starts_with(QUALITY) {
            let measured = Measured { seconds: line.at - self.started, value: *value };
            self.quality.entry(name.clone()).or_default().push(measured);
        }
    }

    /// Forgets the events of an earlier worker.
    fn begin(&mut self, at: f64, continued: bool) {
        (self.started, self.continued) = (at, continued);
        self.steps.clear();
        self.quality.clear();
    }

    /// Returns true if the stage is a training with several steps.
    fn trains(&self) -> bool {
        self.losses && self.steps.len() > 1
    }

    /// Also marks the training as continued if an earlier run reported some of its steps.
    fn compare(mut self, made: &Made) -> Self {
        self.continued |= made.first_step < self.steps.first().map(|(step, _)| *step);
        self
    }
}

/// Trainings of a run with their events, in the order of its stages.
pub(super) fn trainings(run: &Run) -> Vec<(&str, Training)> {
    let made = run.stages.iter().filter_map(|stage| Some((stage.name.as_str(), stage.made.as_ref()?)));
    let made: Vec<(&str, &Made)> = made.filter(|(_, made)| made.first_step.is_some()).collect();
    let mut found: BTreeMap<&str, Training> =
        made.iter().map(|(name, made)| (*name, Training::new(made))).collect();
    // Instances may share the result of one of them.
    let mut wanted: BTreeMap<&Path, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for (name, made) in &made {
        wanted.entry(&made.events).or_default().entry(&made.stage).or_default().push(name);
    }
    for (events, stages) in wanted {
        let Ok(file) = File::open(events) else { continue };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        // Most lines are progress events, which need not be parsed.
        for line in lines.filter(|line| HEARD.iter().any(|word| line.contains(word))) {
            let Ok(line) = serde_json::from_str::<Line>(&line) else { continue };
            for stage in stages.get(line.stage.as_str()).into_iter().flatten() {
                found.entry(stage).and_modify(|training| training.hear(&line));
            }
        }
    }
    let told = made
        .into_iter()
        .filter_map(|(name, made)| Some((name, made, found.remove(name).filter(Training::trains)?)));
    told.map(|(name, made, training)| (name, training.compare(made))).collect()
}
