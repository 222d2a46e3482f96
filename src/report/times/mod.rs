//! How long trainings took: a step, and until each was as good as all became.
//!
//! Trainings are the stages that tell losses, under the names `loss/..`; quality is what they measure under the names
//! `held_out/..`, on data that they do not train on.

mod claims;
mod estimate;
mod pace;
mod quality;
mod tested;
mod training;

use maud::{Markup, html};

use super::cells::NONE;
use super::subject::Subject;
use crate::metrics::number;
use crate::store::Store;
use crate::words::human_seconds;
use claims::claims;
use estimate::Value;
use pace::pace;
use quality::{Goal, directions, goal, measured, until};
use training::{Measured, Training, trainings};

/// What trainings measured under one name, and what all of them reached.
struct Quality<'a> {
    name: &'a str,
    goal: Goal,
    /// Of each training; nothing of those whose time is not known.
    measured: Vec<Vec<Measured>>,
}

impl<'a> Quality<'a> {
    fn of(trainings: &[(&str, Training)], name: &'a str, more: bool) -> Option<Self> {
        let known = |training: &Training| !training.continued && training.quality.contains_key(name);
        let all = trainings.iter().map(|(_, training)| training);
        let measured: Vec<Vec<Measured>> = all
            .map(|training| if known(training) { measured(0.0, &[training], name) } else { Vec::new() })
            .collect();
        let finite = |measured: &&Vec<Measured>| measured.iter().any(|one| one.value.is_finite());
        let told: Vec<Vec<Measured>> = measured.iter().filter(finite).cloned().collect();
        Some(Self { name, goal: goal(&told, more)?, measured })
    }
}

/// Tables of the trainings of a run, and of what is claimed of them; nothing where there are none.
pub fn times(store: &Store, subject: &Subject) -> Markup {
    let trainings = trainings(store, subject);
    let directions = directions(&trainings);
    let known = directions.iter();
    let qualities: Vec<Quality> =
        known.filter_map(|(name, more)| Quality::of(&trainings, name, *more)).collect();
    html! {
        @if !trainings.is_empty() {
            h2 { "Training times" }
            p.note {
                "Trainings shared the machine with what ran beside them. Intervals are of 95 % confidence: by how repetitions \
                 differ; of a single one, by how much longer some steps took than those beside them, which says nothing of \
                 another run."
                @if !qualities.is_empty() {
                    " Quality is that which every training of a table or a claim reached; it is measured at checkpoints, so it was \
                     reached between two of them. A training that was retried, or went on from an earlier run, has no time of its own."
                }
            }
            (claims(&subject.faster, &trainings, &directions))
            (table(&trainings, &qualities))
        }
    }
}

fn table(trainings: &[(&str, Training)], qualities: &[Quality]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="table" {
            table {
                thead { tr {
                    th scope="col" { "stage" } th scope="col" { "steps" } th scope="col" { "seconds a step" }
                    @for Quality { name, goal, .. } in qualities { th scope="col" { (goal.shown(name)) } }
                } }
                tbody { @for (n, (stage, training)) in trainings.iter().enumerate() {
                    tr {
                        th scope="row" { (stage) }
                        td { (training.steps.last().map_or(0, |(step, _)| *step)) }
                        @if let Some(Value { value, ends }) = pace(&[training]) {
                            td {
                                (number(value))
                                @if let Some([low, high]) = ends { " " small { (number(low)) " to " (number(high)) } }
                            }
                        } @else {
                            td { (NONE) }
                        }
                        @for Quality { goal, measured, .. } in qualities {
                            td { (until(0.0, &measured[n], *goal).map_or(NONE.into(), |[_, by]| human_seconds(by))) }
                        }
                    }
                } }
            }
        }
    }
}
