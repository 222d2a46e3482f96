//! Whether trainings that are said to be faster are.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::estimate::Value;
use super::tested::{Tested, rows};
use super::training::Training;
use crate::metrics::number;
use crate::plan::{self, FasterClaim};
use crate::report::cells::NONE;

const COLUMNS: [&str; 8] = ["claim", "holds", "measure", "faster", "took", "than", "took", "times faster"];

/// A table of claims on time; nothing where none is made.
pub fn claims(
    claims: &[FasterClaim],
    trainings: &[(&str, Training)],
    directions: &BTreeMap<&str, bool>,
) -> Markup {
    html! {
        @if !claims.is_empty() {
            div.wide tabindex="0" role="region" aria-label="table" {
                table {
                    thead { tr { @for name in COLUMNS { th.words scope="col" { (name) } } } }
                    tbody { @for claim in claims { @for (measure, tested) in rows(claim, trainings, directions) {
                        @let tested = tested.as_ref();
                        tr {
                            td.words { (claim.claim) }
                            td.words { (tested.map_or_else(|why| format!("not tested: {why}"), verdict)) }
                            td.words { (measure) }
                            @let shown = tested.map_or(number as fn(f64) -> String, |tested| tested.shown);
                            @for (side, training) in [&claim.faster, &claim.than].into_iter().enumerate() {
                                td.words { (name(training, tested.map_or(training.len(), |tested| tested.repetitions[side]))) }
                                td.words { (cell(tested.ok().map(|tested| tested.took[side]), shown)) }
                            }
                            td.words { (cell(tested.ok().map(|tested| tested.ratio), number)) }
                        }
                    } } }
                }
            }
        }
    }
}

fn cell(value: Option<Value>, shown: fn(f64) -> String) -> Markup {
    let Some(Value { value, ends }) = value else { return html! { (NONE) } };
    html! {
        (shown(value))
        @match ends {
            Some([low, high]) if high.is_finite() => { " " small { (shown(low)) " to " (shown(high)) } }
            Some([low, _]) => { " " small { "at least " (shown(low)) } }
            None => {}
        }
    }
}

/// By how many times as long the other took.
fn verdict(tested: &Tested) -> String {
    let holds = match tested.ratio.ends {
        Some([low, _]) if low > 1.0 => "yes",
        Some([_, high]) if high < 1.0 => "no",
        _ => return "undecided".to_owned(),
    };
    tested.single.map_or_else(|| holds.to_owned(), |what| format!("{holds}, of one {what}"))
}

/// The stages of the first repetition, and how many there are.
fn name(training: &plan::Training, repetitions: usize) -> String {
    let stages = training.first().map(|stages| stages.join(", then ")).unwrap_or_default();
    if repetitions > 1 { format!("{stages} ({repetitions} repetitions)") } else { stages }
}
