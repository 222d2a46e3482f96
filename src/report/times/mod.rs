//! How long trainings took: a step, and until each was as good as all became.
//!
//! Trainings are the stages that tell losses, under the names `loss/..`; quality is what they measure under the names
//! `held_out/..`, on data that they do not train on.

mod claims;
mod pace;
mod quality;
mod training;

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::cells::NONE;
use super::subject::Subject;
use crate::metrics::number;
use crate::store::Store;
use crate::words::human_seconds;
use claims::claims;
use pace::Pace;
use quality::{Goal, goal, measured, until};
use training::{Measured, QUALITY, Training, trainings};

/// What trainings measured under one name, and what all of them reached.
struct Quality<'a> {
    name: &'a str,
    goal: Goal,
    /// Of each training.
    measured: Vec<Vec<Measured>>,
}

/// Tables of the trainings of a run, and of what is claimed of them; nothing where there are none.
pub fn times(store: &Store, subject: &Subject) -> Markup {
    let trainings = trainings(store, subject);
    let names: BTreeSet<&String> =
        trainings.iter().flat_map(|(_, training)| training.quality.keys()).collect();
    let reached = |name: &'_ String| {
        let measured: Vec<_> = trainings.iter().map(|(_, training)| measured(&[training], name)).collect();
        goal(&measured).map(|goal| (goal, measured))
    };
    let qualities: Vec<Quality> = names
        .into_iter()
        .filter_map(|name| reached(name).map(|(goal, measured)| Quality { name, goal, measured }))
        .collect();
    html! {
        @if !trainings.is_empty() {
            h2 { "Training times" }
            p.note {
                "Intervals of a step's time are of 95 % confidence, from how long it took between one telling of the loss and the next."
                @if !qualities.is_empty() {
                    " Quality is that which every training of a table or a claim reached; it is measured at checkpoints, so it was \
                     reached between two of them. A training that went on from an earlier run has no time of its own."
                }
            }
            (claims(&subject.faster, &trainings))
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
                    @for Quality { name, goal, .. } in qualities {
                        th scope="col" { "until " (name.trim_start_matches(QUALITY)) " " (number(goal.value)) }
                    }
                } }
                tbody { @for (n, (stage, training)) in trainings.iter().enumerate() {
                    tr {
                        th scope="row" { (stage) }
                        td { (training.steps.last().map_or(0, |(step, _)| *step)) }
                        @if let Some(pace) = Pace::of(&[training]) {
                            td {
                                (number(pace.mean))
                                @if let Some([low, high]) = pace.interval() { " " small { (number(low)) " to " (number(high)) } }
                            }
                        } @else {
                            td { (NONE) }
                        }
                        @for Quality { goal, measured, .. } in qualities {
                            td { (until(&measured[n], *goal).map_or(NONE.into(), |[_, by]| human_seconds(by))) }
                        }
                    }
                } }
            }
        }
    }
}
