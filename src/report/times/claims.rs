//! Whether trainings that are said to be faster are.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::cells::NONE;
use super::pace::Pace;
use super::quality::{goal, measured, until};
use super::training::{QUALITY, Training};
use crate::metrics::number;
use crate::plan::{self, FasterClaim};
use crate::words::human_seconds;

/// One claim by one measure.
struct Row<'a> {
    claim: &'a FasterClaim,
    measure: String,
    /// What either side took, and the ends of its interval.
    took: [Option<Took>; 2],
    /// How many times as long the other took, and the ends of the interval.
    ratio: Option<(f64, Option<[f64; 2]>)>,
    shown: fn(f64) -> String,
}

/// A time, and the ends of its interval.
type Took = (f64, Option<[f64; 2]>);
/// Repetitions of a training, each of stages that go on from one another.
type Repetitions<'a> = Vec<Vec<&'a Training>>;

/// A table of claims on time; nothing where none is made.
pub fn claims(claims: &[FasterClaim], trainings: &[(&str, Training)]) -> Markup {
    let rows: Vec<Row> = claims.iter().flat_map(|claim| rows(claim, trainings)).collect();
    html! {
        @if !rows.is_empty() {
            div.wide tabindex="0" role="region" aria-label="table" {
                table {
                    thead { tr {
                        @for name in ["claim", "holds", "measure", "faster", "took", "than", "took", "times faster"] {
                            th scope="col" { (name) }
                        }
                    } }
                    tbody { @for row in &rows { tr {
                        td.text { (row.claim.claim) }
                        td { (verdict(row.ratio.and_then(|(_, interval)| interval))) }
                        td.text { (row.measure) }
                        @for (training, took) in [&row.claim.faster, &row.claim.than].into_iter().zip(row.took) {
                            td.text { (name(training)) }
                            td { (cell(took, row.shown)) }
                        }
                        td { (cell(row.ratio, number)) }
                    } } }
                }
            }
        }
    }
}

fn cell(value: Option<Took>, shown: fn(f64) -> String) -> Markup {
    html! {
        @match value {
            Some((value, Some([low, high]))) => { (shown(value)) " " small { (shown(low)) " to " (shown(high)) } }
            Some((value, None)) => { (shown(value)) }
            None => { (NONE) }
        }
    }
}

/// By how many times the other took as long.
fn verdict(interval: Option<[f64; 2]>) -> &'static str {
    match interval {
        Some([low, _]) if low > 1.0 => "yes",
        Some([_, high]) if high < 1.0 => "no",
        _ => "undecided",
    }
}

/// The stages of the first repetition, and how many there are.
fn name(training: &plan::Training) -> String {
    let stages = training.first().map(|stages| stages.join(", then ")).unwrap_or_default();
    if training.len() > 1 { format!("{stages} ({} repetitions)", training.len()) } else { stages }
}

fn rows<'a>(claim: &'a FasterClaim, trainings: &[(&str, Training)]) -> Vec<Row<'a>> {
    let sides = [&claim.faster, &claim.than].map(|side| found(side, trainings));
    let paces = sides.each_ref().map(|side| Pace::of(&side.as_ref()?.concat()));
    let [faster, than] = paces;
    let ratio = faster.zip(than).map(|(faster, than)| faster.faster_than(&than));
    let took = paces.map(|pace| pace.map(|pace| (pace.mean, pace.interval())));
    let mut rows = vec![Row { claim, measure: "seconds a step".into(), took, ratio, shown: number }];
    if let [Some(faster), Some(than)] = &sides {
        let stages = faster.iter().chain(than).flatten();
        let names: BTreeSet<&String> = stages.flat_map(|stage| stage.quality.keys()).collect();
        rows.extend(names.into_iter().filter_map(|name| to_quality(claim, name, [faster, than])));
    }
    rows
}

/// The repetitions of one side; none where one was not done, or is no training.
fn found<'a>(side: &plan::Training, trainings: &'a [(&str, Training)]) -> Option<Repetitions<'a>> {
    let stage =
        |name: &String| trainings.iter().find(|(known, _)| known == name).map(|(_, training)| training);
    side.iter().map(|stages| stages.iter().map(stage).collect()).collect()
}

/// How long either took until all repetitions of both were as good; none where that cannot be told.
fn to_quality<'a>(claim: &'a FasterClaim, name: &str, sides: [&Repetitions; 2]) -> Option<Row<'a>> {
    let of_side = |side: &Repetitions| side.iter().map(|stages| measured(stages, name)).collect::<Vec<_>>();
    let sides = sides.map(of_side);
    let goal = goal(&sides.concat())?;
    let mean = |side: &Vec<Vec<_>>| {
        let spans: Option<Vec<[f64; 2]>> = side.iter().map(|measured| until(measured, goal)).collect();
        let spans = spans?;
        let mean = |end: usize| spans.iter().map(|span| span[end]).sum::<f64>() / spans.len() as f64;
        Some([mean(0), mean(1)])
    };
    let (faster, than) = (mean(&sides[0])?, mean(&sides[1])?);
    let ratio = (than[1] / faster[1], Some([than[0] / faster[1], than[1] / faster[0]]));
    Some(Row {
        claim,
        measure: format!("until {} {}", name.trim_start_matches(QUALITY), number(goal.value)),
        took: [faster, than].map(|span| Some((span[1], Some(span)))),
        ratio: Some(ratio),
        shown: human_seconds,
    })
}
