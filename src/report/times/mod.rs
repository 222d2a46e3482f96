//! How long trainings took: a step, and until each was as good as all became.
//!
//! Trainings are the stages that tell losses, under the names `loss/..`; quality is what they measure under the names
//! `held_out/..`, on data that they do not train on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};

use maud::{Markup, html};
use serde::Deserialize;

use super::cells::NONE;
use super::subject::Subject;
use crate::metrics::number;
use crate::store::Store;
use crate::words::human_seconds;

/// What quality is told as.
const QUALITY: &str = "held_out/";
/// What only trainings tell.
const LOSS: &str = "loss/";
/// Spans of time that an interval needs at least.
const LEAST_SPANS: usize = 5;

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

/// What one training told, in the run that ended it.
#[derive(Default)]
struct Told {
    /// When it was started, in seconds of the run.
    started: f64,
    /// Steps, and when they were told.
    steps: Vec<(u64, f64)>,
    /// Step, seconds since it was started, and value, by what was measured.
    quality: BTreeMap<String, Vec<(u64, f64, f64)>>,
    /// Whether it told losses.
    losses: bool,
}

/// Seconds a step takes, and the interval of 95 % confidence of their mean.
#[derive(Debug, PartialEq)]
struct Pace {
    mean: f64,
    interval: Option<[f64; 2]>,
}

/// A table of the trainings of a run; nothing where there are none.
pub fn times(store: &Store, subject: &Subject) -> Markup {
    let told = told(store, subject);
    let names: BTreeSet<&String> = told.iter().flat_map(|(_, told)| told.quality.keys()).collect();
    let paces: Vec<Option<Pace>> = told.iter().map(|(_, told)| told.pace()).collect();
    let goals: Vec<_> = names.into_iter().filter_map(|name| Some((name, goal(&told, name)?))).collect();
    html! {
        @if !told.is_empty() {
            h2 { "Training times" }
            @if paces.iter().flatten().any(|pace| pace.interval.is_some()) {
                p.note { "Intervals are of 95 % confidence, from how long it took between one telling of the loss and the next." }
            }
            @if !goals.is_empty() {
                p.note { "Quality is that which every training reached; it is measured at checkpoints. A training that went on from \
                          an earlier run has no time of its own." }
            }
            div.wide tabindex="0" role="region" aria-label="table" {
                table {
                    thead { tr {
                        th scope="col" { "stage" } th scope="col" { "steps" } th scope="col" { "seconds a step" }
                        @for (name, (value, _)) in &goals {
                            th scope="col" { "until " (name.trim_start_matches(QUALITY)) " " (number(*value)) }
                        }
                    } }
                    tbody { @for ((stage, told), pace) in told.iter().zip(&paces) {
                        tr {
                            th scope="row" { (stage) }
                            td { (told.steps.last().map_or(0, |(step, _)| *step)) }
                            @if let Some(Pace { mean, interval }) = pace {
                                td {
                                    (number(*mean))
                                    @if let Some([low, high]) = interval { " " small { (number(*low)) " to " (number(*high)) } }
                                }
                            } @else {
                                td { (NONE) }
                            }
                            @for (name, goal) in &goals {
                                td { (told.until(name, *goal).map_or(NONE.into(), human_seconds)) }
                            }
                        }
                    } }
                }
            }
        }
    }
}

/// What each training of a run told, in the order of its stages.
fn told<'a>(store: &Store, subject: &'a Subject) -> Vec<(&'a str, Told)> {
    // Instances may share what one of them made.
    let mut wanted: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for stage in &subject.stages {
        let Some(record) = stage.record.as_ref().filter(|_| subject.curves.contains_key(&stage.name)) else {
            continue;
        };
        let makers = wanted.entry(&record.provenance.run).or_default();
        makers.entry(&record.provenance.stage).or_default().push(&stage.name);
    }
    let mut found: BTreeMap<&str, Told> = BTreeMap::new();
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
    let of = |name: &'a str| Some((name, found.remove(name).filter(|told| told.trains())?));
    let names: Vec<&str> = subject.stages.iter().map(|stage| stage.name.as_str()).collect();
    let all: Vec<_> = names.into_iter().filter_map(of).collect();
    all.into_iter().map(|(name, told)| (name, told.unless_continued(subject, name))).collect()
}

impl Told {
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
            self.quality.entry(name.clone()).or_default().push((*step, line.at - self.started, *value));
        }
    }

    /// Whether it is a training of several steps.
    fn trains(&self) -> bool {
        self.losses && self.steps.len() > 1
    }

    /// How long a step took; none where no two were told.
    fn pace(&self) -> Option<Pace> {
        let spans: Vec<(f64, f64)> =
            self.steps.windows(2).map(|two| ((two[1].0 - two[0].0) as f64, two[1].1 - two[0].1)).collect();
        let steps: f64 = spans.iter().map(|(steps, _)| steps).sum();
        let mean = spans.iter().map(|(_, seconds)| seconds).sum::<f64>() / steps;
        // The variance of a ratio's estimate (Cochran 1977, section 2.11): spans count by their steps.
        let squares: f64 = spans.iter().map(|(steps, seconds)| (seconds - mean * steps).powi(2)).sum();
        let count = spans.len() as f64;
        let half = student(count - 1.0) * (count / (count - 1.0) * squares).sqrt() / steps;
        let interval = (spans.len() >= LEAST_SPANS).then(|| [(mean - half).max(0.0), mean + half]);
        (!spans.is_empty()).then_some(Pace { mean, interval })
    }

    /// Without quality if an earlier run told some of its steps.
    fn unless_continued(mut self, subject: &Subject, stage: &str) -> Self {
        let first =
            |name: &String| subject.curves.get(stage)?.get(name)?.first_key_value().map(|(step, _)| *step);
        self.quality.retain(|name, told| first(name) == told.first().map(|(step, ..)| *step));
        self
    }

    /// Seconds until a metric was at its goal.
    fn until(&self, name: &str, (goal, up): (f64, bool)) -> Option<f64> {
        let there = |value: f64| if up { value >= goal } else { value <= goal };
        self.quality.get(name)?.iter().find(|(.., value)| there(*value)).map(|(_, seconds, _)| *seconds)
    }
}

/// Deviations that 95 % of Student's t distribution lie within, to 2 % from 4 degrees of freedom on (Abramowitz and Stegun
/// 1964, 26.7.5).
fn student(degrees: f64) -> f64 {
    let z: f64 = 1.959_964;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    z + first / degrees + second / degrees.powi(2)
}

/// What all trainings that measured something reached, and whether more of it is better: whether most ended with more than
/// they began with. None unless there are several.
fn goal(told: &[(&str, Told)], name: &str) -> Option<(f64, bool)> {
    let all: Vec<Vec<f64>> = told
        .iter()
        .filter_map(|(_, told)| told.quality.get(name))
        .map(|values| values.iter().map(|(.., value)| *value).filter(|value| value.is_finite()).collect())
        .filter(|values: &Vec<f64>| !values.is_empty())
        .collect();
    if all.len() < 2 {
        return None;
    }
    let rising = all.iter().filter(|values| values[values.len() - 1] > values[0]).count();
    let up = 2 * rising > all.len();
    let best = |values: &Vec<f64>| values.iter().copied().reduce(if up { f64::max } else { f64::min });
    let worst = all.iter().filter_map(best).reduce(if up { f64::min } else { f64::max })?;
    Some((worst, up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_quality_is_the_best_of_the_training_whose_best_is_worst() {
        let training = |values: &[f64]| {
            let quality = (1..).zip(values).map(|(step, value)| (step, 10.0 * step as f64, *value)).collect();
            Told { quality: [("held_out/psnr".to_owned(), quality)].into(), ..Told::default() }
        };
        let told = [("a", training(&[10.0, 18.0, 25.0])), ("b", training(&[9.0, f64::NAN, 20.0, 19.0]))];
        let goal = goal(&told, "held_out/psnr").expect("one");
        assert_eq!(goal, (20.0, true));
        let until = |n: usize| told[n].1.until("held_out/psnr", goal);
        assert_eq!((until(0), until(1)), (Some(30.0), Some(30.0)));
        let falling = [("a", training(&[0.9, 0.3])), ("b", training(&[0.8, 0.5, 0.4]))];
        assert_eq!(super::goal(&falling, "held_out/psnr"), Some((0.4, false)));
        assert_eq!(super::goal(&falling[..1], "held_out/psnr"), None, "there is nothing to compare it with");
    }

    #[test]
    fn a_step_takes_the_mean_of_all_in_an_interval_by_spans_that_count_by_their_steps() {
        let told = |steps: &[(u64, f64)]| Told { steps: steps.to_vec(), ..Told::default() };
        // Spans of 10 steps that take 10, 30, 20, 15 and 25 s: 1, 3, 2, 1.5, 2.5 s a step, whose deviation is 0.79.
        let even = [(10, 0.0), (20, 10.0), (30, 40.0), (40, 60.0), (50, 75.0), (60, 100.0)];
        let Pace { mean, interval } = told(&even).pace().expect("a pace");
        let [low, high] = interval.expect("an interval");
        let half = 2.776 * (0.625f64 / 5.0).sqrt();
        assert!(
            mean == 2.0
                && (high - mean - half).abs() < 0.02 * half
                && (mean - low - half).abs() < 0.02 * half
        );
        // A last step that holds a checkpoint counts as one step.
        let uneven = told(&[&even[..], &[(61, 122.0)]].concat()).pace().expect("a pace");
        assert!((uneven.mean - 122.0 / 51.0).abs() < 1e-12);
        assert!(uneven.interval.is_some_and(|[low, high]| low >= 0.0 && high < 4.0), "{uneven:?}");
        assert_eq!(told(&even[..5]).pace(), Some(Pace { mean: 1.875, interval: None }), "too few spans");
        assert_eq!(told(&even[..1]).pace(), None);
    }

    #[test]
    fn student_s_quantiles_are_those_of_tables() {
        for (degrees, wanted) in [(4.0, 2.776), (10.0, 2.228), (30.0, 2.042), (1000.0, 1.962)] {
            assert!((student(degrees) / wanted - 1.0).abs() < 0.02, "{degrees}");
        }
    }
}
