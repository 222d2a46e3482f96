//! What workers measured, gathered from the runs that told it.
//!
//! A run keeps what happens in it. What a run only found in the store, another run has told; what a training told
//! before it was killed or given a larger budget, an earlier one has. Curves put all of it together.

mod chart;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};

use callsheet_worker::digest::Digest;
use serde::Deserialize;
use serde_json::Value;

use crate::store::{RunRecord, Store};

pub use chart::{Chart, Series, charts, drawable};

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
/// Of a stage whose result another run made, they are that run's; where a training went on from a checkpoint,
/// those of the runs before it, up to there.
pub fn curves(store: &Store, id: &str, record: Option<&RunRecord>) -> Curves {
    let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
    for (stage, result) in record.iter().flat_map(|record| &record.stages) {
        if let Some(made) = result.key.as_ref().and_then(|key| store.record(key)) {
            let (course, by) = (made.key.scratch_digest(), made.provenance);
            wanted.insert(stage.clone(), Wanted::new(by.run, by.stage, Some(course)));
        }
    }
    read(store, id, |line| {
        if line.event == "started" {
            let own = Wanted::new(id.to_owned(), line.stage.clone(), line.course);
            wanted.insert(line.stage, own);
        }
    });
    let latest = wanted.values().map(|wanted| wanted.run.clone()).max().unwrap_or_default();
    for id in store.run_ids().into_iter().filter(|id| *id <= latest) {
        let mut courses: BTreeMap<String, Digest> = BTreeMap::new();
        read(store, &id, |line| match line.course {
            Some(course) => drop(courses.insert(line.stage, course)),
            None => wanted.values_mut().for_each(|w| w.hear(&id, &line, courses.get(&line.stage))),
        });
        wanted.values_mut().for_each(Wanted::end_of_run);
    }
    let found = wanted.into_iter().map(|(stage, wanted)| (stage, wanted.found));
    found.filter(|(_, curves)| !curves.is_empty()).collect()
}

/// What is looked for of one stage.
struct Wanted {
    /// The run that made its result, by which stage.
    run: String,
    maker: String,
    /// What earlier runs of the same training share; none in what older versions told.
    course: Option<Digest>,
    found: BTreeMap<String, Curve>,
    /// The first steps that the runs read so far told of each metric.
    first: BTreeMap<String, u64>,
    /// The last step that `run` told of anything.
    last: Option<u64>,
}

impl Wanted {
    fn new(run: String, maker: String, course: Option<Digest>) -> Self {
        Self { run, maker, course, found: BTreeMap::new(), first: BTreeMap::new(), last: None }
    }

    /// Takes what a run, the latest come first, told of a stage that follows `course`.
    fn hear(&mut self, run: &str, line: &Line, course: Option<&Digest>) {
        // Runs are named by the time at which they began.
        let own = run == self.run && line.stage == self.maker;
        let earlier = run < self.run.as_str() && course.is_some() && course == self.course.as_ref();
        if !own && !earlier {
            return;
        }
        let metric = &line.said["metric"];
        let told = (metric["name"].as_str(), metric["step"].as_u64(), metric["value"].as_f64());
        let (Some(name), Some(step), Some(value)) = told else { return };
        if own {
            self.last = self.last.max(Some(step));
        }
        // What an earlier run told beyond the checkpoint that a later one went on from has not come to pass.
        let before = self.first.get(name).is_none_or(|first| step < *first);
        if own || before && self.last.is_none_or(|last| step <= last) {
            self.found.entry(name.to_owned()).or_default().insert(step, value);
        }
    }

    fn end_of_run(&mut self) {
        let first = |(name, curve): (&String, &Curve)| Some((name.clone(), *curve.first_key_value()?.0));
        self.first = self.found.iter().filter_map(first).collect();
    }
}

/// Hands out the lines of a run that may matter here; a line that is cut off is none.
fn read(store: &Store, id: &str, mut each: impl FnMut(Line)) {
    let Ok(file) = File::open(store.path("runs").join(id).join("events.ndjson")) else { return };
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        if line.contains("\"metric\"") || line.contains("\"started\"") {
            serde_json::from_str(&line).into_iter().for_each(&mut each);
        }
    }
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

/// At most some `most` values of a curve: means over as many steps each.
pub fn thinned(curve: &Curve, most: usize) -> Curve {
    let values: Vec<(u64, f64)> = curve.iter().map(|(step, value)| (*step, *value)).collect();
    let mean = |chunk: &[(u64, f64)]| {
        let (step, _) = chunk[chunk.len() - 1];
        (step, chunk.iter().map(|(_, value)| value).sum::<f64>() / chunk.len() as f64)
    };
    values.chunks(values.len().div_ceil(most).max(1)).map(mean).collect()
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
        let thin = thinned(&[(1, 4.0), (2, 2.0), (3, 1.0)].into(), 2);
        assert_eq!(thin, [(2, 3.0), (3, 1.0)].into());
        let mut same: Curve = [(1, 4.0), (2, 1.0)].into();
        smooth(&mut same, 0.0);
        assert_eq!(same, [(1, 4.0), (2, 1.0)].into());
    }
}
