//! What workers measured, gathered from the runs that told it.
//!
//! A run keeps what happens in it. What a run only found in the store, another run has told; what a training told
//! before it was killed or given a larger budget, an earlier one has. Curves put all of it together.

mod chart;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};

use serde::Deserialize;
use serde_json::Value;

use crate::key::Digest;
use crate::store::{RunRecord, Store};

pub use chart::{Chart, Series, number};

/// Values by step.
pub type Curve = BTreeMap<u64, f64>;

/// By stage instance and by the name of what was measured.
pub type Curves = BTreeMap<String, BTreeMap<String, Curve>>;

/// One line of `events.ndjson`, as far as it is of use here.
#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    stage: String,
    course: Option<Digest>,
    #[serde(default)]
    said: Value,
}

/// Curves of all stages of the run `id`; `record` is none of a run that goes on, or was killed.
///
/// Of a stage whose result another run made, they are that run's, and those of earlier runs up to where it began.
pub fn curves(store: &Store, id: &str, record: Option<&RunRecord>) -> Curves {
    let mut wanted: BTreeMap<Digest, Wanted> = BTreeMap::new();
    for (stage, result) in record.iter().flat_map(|record| &record.stages) {
        if let Some(made) = result.key.as_ref().and_then(|key| store.record(key)) {
            let wanted = wanted.entry(made.key.scratch_digest()).or_default();
            wanted.stages.insert(stage.clone());
            wanted.made_by = made.provenance.run;
        }
    }
    read(store, id, |line| {
        if let (Some(course), "started") = (line.course, line.event.as_str()) {
            let wanted = wanted.entry(course).or_default();
            wanted.stages.insert(line.stage);
            wanted.made_by = id.to_owned();
        }
    });
    let mut ids = store.run_ids();
    ids.reverse();
    for id in ids {
        let mut courses: BTreeMap<String, Digest> = BTreeMap::new();
        read(store, &id, |line| {
            if let Some(course) = line.course {
                courses.insert(line.stage, course);
            } else if let Some(course) = courses.get(&line.stage)
                && let Some(wanted) = wanted.get_mut(course)
            {
                wanted.hear(&id, &line.said["metric"]);
            }
        });
    }
    let mut curves = Curves::new();
    for Wanted { stages, mut found, last, .. } in wanted.into_values() {
        if let Some(last) = last {
            // An earlier run may have gone further than the one that made this result.
            found.values_mut().for_each(|curve| curve.retain(|step, _| *step <= last));
        }
        found.retain(|_, curve| !curve.is_empty());
        if !found.is_empty() {
            curves.extend(stages.into_iter().map(|stage| (stage, found.clone())));
        }
    }
    curves
}

/// Makes of each value a mean of it and those before, which weigh `weight` as much a step back: none with 0.
/// Without the pull of where it starts (Kingma and Ba 2015, section 3).
pub fn smooth(curve: &mut Curve, weight: f64) {
    let (mut sum, mut all) = (0.0, 0.0);
    for value in curve.values_mut().filter(|value| value.is_finite()) {
        (sum, all) = (sum * weight + *value, all * weight + 1.0);
        *value = sum / all;
    }
}

/// What is looked for of one course.
#[derive(Default)]
struct Wanted {
    stages: BTreeSet<String>,
    /// The run that made the result that is looked at.
    made_by: String,
    found: BTreeMap<String, Curve>,
    /// The last step that run told of.
    last: Option<u64>,
}

impl Wanted {
    fn hear(&mut self, run: &str, metric: &Value) {
        let told = (metric["name"].as_str(), metric["step"].as_u64(), metric["value"].as_f64());
        let (Some(name), Some(step), Some(value)) = told else { return };
        self.found.entry(name.to_owned()).or_default().insert(step, value);
        if run == self.made_by {
            self.last = self.last.max(Some(step));
        }
    }
}

/// Hands out the lines of a run that may matter here; a line that is cut off is none.
fn read(store: &Store, id: &str, mut each: impl FnMut(Line)) {
    let Ok(file) = File::open(store.path("runs").join(id).join("events.ndjson")) else { return };
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        if line.contains("\"metric\"") || line.contains("\"course\"") {
            serde_json::from_str(&line).into_iter().for_each(&mut each);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothed_values_are_means_that_forget_and_none_is_lost() {
        let mut curve: Curve = [(1, 4.0), (2, f64::NAN), (3, 1.0), (4, 1.0)].into();
        smooth(&mut curve, 0.5);
        assert_eq!((curve[&1], curve[&3], curve[&4]), (4.0, 2.0, (1.0 + 0.5 + 1.0) / 1.75));
        assert!(curve[&2].is_nan());
        let mut same: Curve = [(1, 4.0), (2, 1.0)].into();
        smooth(&mut same, 0.0);
        assert_eq!(same, [(1, 4.0), (2, 1.0)].into());
    }
}
