//! Tables of trainings, and of what is claimed of them.

use std::collections::BTreeMap;

use callsheet_figures::label::{human_seconds, number};
use callsheet_worker::report::{Cell, Column, Section, Table};

use super::claim::{Found, Repetitions};
use super::estimate::Value;
use super::pace::pace;
use super::quality::{Goal, directions, goal, measured, until};
use super::tested::{Tested, rows};
use super::training::{Measured, Training};

const CLAIM_COLUMNS: [&str; 8] =
    ["claim", "holds", "measure", "faster", "took", "than", "took", "times faster"];

const TIMES: &str = "Trainings shared the machine with what ran beside them. Intervals are of 95 % confidence: by how \
                     repetitions differ; of a single one, by how much longer some steps took than those beside them, which \
                     says nothing of another run.";
const QUALITY: &str = "Quality is that which every training of a table or a claim reached; it is measured at checkpoints, so \
                       it was reached between two of them. A training that was retried, or went on from an earlier run, has \
                       no time of its own.";

/// Measurements of trainings under one name, and the quality that all of them reached.
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

/// Section on the trainings of a run and the claims about them; none if there is neither.
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
    let names = ["stage", "steps", "seconds a step"].map(str::to_owned).into_iter().chain(goals);
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
fn named(training: &Repetitions, repetitions: usize) -> String {
    let stages = training.first().map(|stages| stages.join(", then ")).unwrap_or_default();
    if repetitions > 1 { format!("{stages} ({repetitions} repetitions)") } else { stages }
}
