//! Metrics of workers, gathered from the events of all runs.
//!
//! The log of a run contains only the events of this run. If the run found a result in the store, the run
//! that computed the result has its metrics. If a training was killed or got a larger budget, an earlier run
//! has its first metrics. Curves combine all of these.

mod chart;

use std::collections::BTreeMap;

use callsheet_worker::digest::Digest;
use callsheet_worker::protocol::WorkerEvent;

use crate::event::{Event, read_log};
use crate::store::{RunRecord, Store};

pub use chart::{Chart, Series, charts, drawable};

/// Values by step.
pub type Curve = BTreeMap<u64, f64>;

/// Curves by stage instance and by the name of the metric.
pub type Curves = BTreeMap<String, BTreeMap<String, Curve>>;

/// Returns the curves of all stages of the run `id`; `record` is `None` if the run has not ended or was
/// killed.
///
/// If another run computed the result of a stage, the curves are those of that run. If a training resumed
/// from a checkpoint, the curves up to the checkpoint are those of earlier runs.
pub fn curves(store: &Store, id: &str, record: Option<&RunRecord>) -> Curves {
    let mut wanted: BTreeMap<String, CurveQuery> = BTreeMap::new();
    for (stage, result) in record.iter().flat_map(|record| &record.stages) {
        if let Some(made) = result.key.as_ref().and_then(|key| store.record(key)) {
            let (course, by) = (made.key.scratch_digest(), made.provenance);
            wanted.insert(stage.clone(), CurveQuery::new(by.run, by.stage, Some(course)));
        }
    }
    for event in read(store, id) {
        if let Event::Started { stage, course, .. } = event {
            wanted.insert(stage.clone(), CurveQuery::new(id.to_owned(), stage, Some(course)));
        }
    }
    let latest = wanted.values().map(|wanted| wanted.run.clone()).max().unwrap_or_default();
    for id in store.run_ids().into_iter().filter(|id| *id <= latest) {
        let mut courses: BTreeMap<String, Digest> = BTreeMap::new();
        for event in read(store, &id) {
            match event {
                Event::Started { stage, course, .. } => drop(courses.insert(stage, course)),
                Event::Worker { stage, said: WorkerEvent::Metric { name, step, value } } => {
                    let course = courses.get(&stage);
                    wanted.values_mut().for_each(|w| w.hear((&id, &stage, course), &name, step, value));
                }
                _ => {}
            }
        }
        wanted.values_mut().for_each(CurveQuery::end_of_run);
    }
    let found = wanted.into_iter().map(|(stage, wanted)| (stage, wanted.found));
    found.filter(|(_, curves)| !curves.is_empty()).collect()
}

/// Search for the curves of one stage.
struct CurveQuery {
    /// Run that computed the result of the stage.
    run: String,
    /// Stage instance of that run that computed the result.
    maker: String,
    /// Digest that earlier runs of this training share, because it does not depend on the budget.
    course: Option<Digest>,
    found: BTreeMap<String, Curve>,
    /// First step of each metric in the runs that were read so far.
    first: BTreeMap<String, u64>,
    /// Last step that `run` reported for any metric.
    last: Option<u64>,
}

impl CurveQuery {
    fn new(run: String, maker: String, course: Option<Digest>) -> Self {
        Self { run, maker, course, found: BTreeMap::new(), first: BTreeMap::new(), last: None }
    }

    /// Adds a value that a stage of a run reported. Runs are read from the latest to the earliest.
    fn hear(
        &mut self,
        (run, stage, course): (&str, &str, Option<&Digest>),
        name: &str,
        step: u64,
        value: f64,
    ) {
        // The id of a run begins with its start time, so earlier runs have smaller ids.
        let own = run == self.run && stage == self.maker;
        let earlier = run < self.run.as_str() && course.is_some() && course == self.course.as_ref();
        if !own && !earlier {
            return;
        }
        if own {
            self.last = self.last.max(Some(step));
        }
        // If a later run resumed from a checkpoint, values of earlier runs after this checkpoint are
        // obsolete.
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

/// Returns the events of a run that started a worker or reported a metric.
fn read(store: &Store, id: &str) -> impl Iterator<Item = Event> {
    let wanted = |line: &str| line.contains("\"metric\"") || line.contains("\"started\"");
    read_log(&store.run_dir(id).events(), wanted).map(|line| line.event)
}

/// Replaces each value by the exponential moving average of the values up to it. `weight` is the factor by
/// which weights decrease from each value to the one before it; 0 leaves the curve as it is. The average is
/// corrected for the bias of its start (Kingma and Ba 2015, section 3).
pub fn smooth(curve: &mut Curve, weight: f64) {
    let (mut sum, mut all) = (0.0, 0.0);
    for value in curve.values_mut().filter(|value| value.is_finite()) {
        (sum, all) = (sum * weight + *value, all * weight + 1.0);
        *value = sum / all;
    }
}

/// Reduces a curve to at most `most` points: means over equal numbers of values, except that the
/// last mean may cover fewer.
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
    fn smoothing_keeps_every_step_and_thinning_takes_means() {
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
