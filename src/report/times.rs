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
/// Deviations that 95 % of a normal distribution lie within.
const NORMAL: f64 = 1.96;

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
    let fastest = paces.iter().flatten().map(|pace| pace.mean).fold(f64::INFINITY, f64::min);
    let goals: Vec<_> = names.into_iter().filter_map(|name| Some((name, goal(&told, name)?))).collect();
    html! {
        @if !told.is_empty() {
            h2 { "Training times" }
            @if !goals.is_empty() {
                p.note { "Intervals are of 95 % confidence, over what was told in between. Quality is that which every training reached; it is measured at checkpoints. A training that went on from \
                          an earlier run has no time of its own." }
            }
            div.wide tabindex="0" role="region" aria-label="table" {
                table {
                    thead { tr {
                        th scope="col" { "stage" } th scope="col" { "steps" } th scope="col" { "seconds a step" }
                        th scope="col" { "of the fastest" }
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
                                td { (format!("{:.2}", mean / fastest)) }
                            } @else {
                                td { (NONE) } td { (NONE) }
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
        let between =
            |[(first, begun), (last, ended)]: [(u64, f64); 2]| (ended - begun) / (last - first) as f64;
        let mean = between([*self.steps.first()?, *self.steps.get(1).and(self.steps.last())?]);
        let paces: Vec<f64> = self.steps.windows(2).map(|pair| between([pair[0], pair[1]])).collect();
        let squares: f64 = paces.iter().map(|pace| (pace - mean).powi(2)).sum();
        let half = NORMAL * (squares / (paces.len() - 1) as f64 / paces.len() as f64).sqrt();
        // Of a single pace 0 / 0.
        Some(Pace { mean, interval: half.is_finite().then(|| [mean - half, mean + half]) })
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
    fn a_step_takes_the_mean_of_all_in_an_interval_over_what_was_told_between() {
        let told = |steps: &[(u64, f64)]| Told { steps: steps.to_vec(), ..Told::default() };
        // 1, 3 and 2 seconds a step: their deviation is 1.
        let pace = told(&[(10, 5.0), (20, 15.0), (30, 45.0), (40, 65.0)]).pace().expect("a pace");
        let half = 1.96 / 3f64.sqrt();
        assert_eq!(pace, Pace { mean: 2.0, interval: Some([2.0 - half, 2.0 + half]) });
        assert_eq!(told(&[(10, 5.0), (20, 15.0)]).pace(), Some(Pace { mean: 1.0, interval: None }));
        assert_eq!(told(&[(10, 5.0)]).pace(), None);
    }
}
