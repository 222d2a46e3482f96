//! Tables of trainings and of claims about them.

use std::collections::BTreeMap;

use callsheet_figures::label::{human_seconds, number};
use callsheet_worker::report::{Cell, Column, Section, Table};

use super::claim::{Found, Repetitions};
use super::estimate::Value;
use super::pace::pace;
use super::quality::{Goal, directions, goal, measured, until};
use super::tested::{Tested, rows};
use super::training::{Measured, Training};

const CLAIM_COLUMNS: [&str; 8] = ["claim", "holds", "measure", "faster", "time", "than", "time", "speed-up"];

const TIMES: &str = "Trainings shared the machine with the stages that ran at the same time. Intervals have a \
                     confidence of 95 %. They come from the differences between repetitions or, if there is \
                     only one, between its steps; the latter do not cover differences between runs.";
const QUALITY: &str = "The quality is one that every training of a table or a claim reached. It is measured \
                       at checkpoints, so it was reached between two of them. The time is not known for a \
                       training that was retried or resumed from an earlier run.";

/// Measurements of one metric, and the quality that all trainings reached.
struct Quality<'a> {
    name: &'a str,
    goal: Goal,
    /// Measurements of each training; empty if the time of the training is not known.
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

/// Returns the section on the trainings of a run and the claims about them; none if there is neither.
pub(super) fn section(trainings: &[(&str, Training)], claims: &[Found]) -> Option<Section> {
    if trainings.is_empty() && claims.is_empty() {
        return None;
    }
    let directions = directions(trainings);
    let qualities: Vec<Quality> =
        directions.iter().filter_map(|(name, more)| Quality::of(trainings, name, *more)).collect();
    let notes = [TIMES].into_iter().chain((!qualities.is_empty()).then_some(QUALITY));
    let claims = (!claims.is_empty()).then(|| of_claims(claims, trainings, &directions));
    Some(Section {
        title: "Training times".to_owned(),
        notes: notes.map(str::to_owned).collect(),
        tables: claims
            .into_iter()
            .chain((!trainings.is_empty()).then(|| of_trainings(trainings, &qualities)))
            .collect(),
    })
}

fn of_trainings(trainings: &[(&str, Training)], qualities: &[Quality]) -> Table {
    let goals = qualities.iter().map(|Quality { name, goal, .. }| goal.shown(name));
    let names = ["stage", "steps", "seconds per step"].map(str::to_owned).into_iter().chain(goals);
    let row = |(n, (stage, training)): (usize, &(&str, Training))| {
        let steps = training.steps.last().map_or(0, |(step, _)| *step).to_string();
        let first = [text(stage), text(&steps), shown(pace(&[training]), number)];
        let until = qualities.iter().map(|Quality { goal, measured, .. }| {
            let by = until(0.0, &measured[n], *goal).map(|[_, by]| human_seconds(by));
            text(&by.unwrap_or_default())
        });
        first.into_iter().chain(until).collect()
    };
    Table {
        columns: names.map(|name| Column { name, text: false }).collect(),
        rows: trainings.iter().enumerate().map(row).collect(),
    }
}

fn of_claims(claims: &[Found], trainings: &[(&str, Training)], directions: &BTreeMap<&str, bool>) -> Table {
    let columns = CLAIM_COLUMNS.map(|name| Column { name: name.to_owned(), text: true }).to_vec();
    let mut all = Vec::new();
    for claim in claims {
        let claim = match claim {
            Ok(claim) => claim,
            Err((claim, why)) => {
                let blank = (2..CLAIM_COLUMNS.len()).map(|_| Cell::default());
                all.push(
                    [text(claim), text(&format!("not tested: {why}"))].into_iter().chain(blank).collect(),
                );
                continue;
            }
        };
        for (measure, tested) in rows(claim, trainings, directions) {
            let tested = tested.as_ref();
            let form = tested.map_or(number as fn(f64) -> String, |tested| tested.shown);
            let side = |side: usize, training: &Repetitions| {
                let count = tested.map_or(training.len(), |tested| tested.repetitions[side]);
                [text(&named(training, count)), shown(tested.ok().map(|tested| tested.took[side]), form)]
            };
            let verdict = tested.map_or_else(|why| format!("not tested: {why}"), verdict);
            let mut row = vec![text(&claim.claim), text(&verdict), text(&measure)];
            row.extend(side(0, &claim.faster));
            row.extend(side(1, &claim.than));
            row.push(shown(tested.ok().map(|tested| tested.ratio), number));
            all.push(row);
        }
    }
    Table { columns, rows: all }
}

fn text(value: &str) -> Cell {
    Cell { value: value.to_owned(), detail: String::new() }
}

fn shown(value: Option<Value>, form: fn(f64) -> String) -> Cell {
    let Some(Value { value, ends }) = value else { return Cell::default() };
    let detail = match ends {
        Some([low, high]) if high.is_finite() => format!("{} to {}", form(low), form(high)),
        Some([low, _]) => format!("at least {}", form(low)),
        None => String::new(),
    };
    Cell { value: form(value), detail }
}

/// Verdict on a claim, from the interval of the ratio of times.
fn verdict(tested: &Tested) -> String {
    let holds = match tested.ratio.ends {
        Some([low, _]) if low > 1.0 => "yes",
        Some([_, high]) if high < 1.0 => "no",
        _ => return "undecided".to_owned(),
    };
    tested.single.map_or_else(|| holds.to_owned(), |what| format!("{holds}, with one {what}"))
}

/// Names of the stages of the first repetition, and the number of repetitions.
fn named(training: &Repetitions, repetitions: usize) -> String {
    let stages = training.first().map(|stages| stages.join(", then ")).unwrap_or_default();
    if repetitions > 1 { format!("{stages} ({repetitions} repetitions)") } else { stages }
}
