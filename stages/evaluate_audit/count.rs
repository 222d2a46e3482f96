//! Numbers of planted and listed faults.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::planting::{Fault, Listed, Planting};
use crate::lib::columns::{Column, float64s, int32s, strings};
use crate::lib::faults::names;
use crate::lib::wilson::wilson;

/// Name of the row that counts any fault and any finding.
const ANY: &str = "any";

/// Numbers of a video, for one finding.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counts {
    pub video: String,
    pub finding: &'static str,
    /// Audited frames of all plantings.
    pub frames: usize,
    /// Planted faults.
    pub planted: usize,
    /// Planted faults of which a frame is listed with the finding.
    pub found: usize,
    /// Sequences of frames that are listed with the finding, and were not before the planting.
    pub listed: usize,
    /// Listed sequences with a planted fault.
    pub faulty: usize,
    /// Sequences that are listed in the video without planted faults.
    pub listed_before: usize,
}

/// Returns true if a fault is found by a finding.
pub(super) fn is_found(fault: &Fault, finding: &str, listed: &Listed) -> bool {
    fault.frames.iter().any(|frame| listed.get(frame).is_some_and(|findings| has(findings, finding)))
}

/// Counts for each kind of fault, and for any.
pub(super) fn of(video: &str, plantings: &[&Planting]) -> Vec<Counts> {
    names().into_iter().chain([ANY]).map(|finding| counts(video, finding, plantings)).collect()
}

fn counts(video: &str, finding: &'static str, plantings: &[&Planting]) -> Counts {
    let video = video.to_owned();
    let mut counts =
        Counts { video, finding, frames: 0, planted: 0, found: 0, listed: 0, faulty: 0, listed_before: 0 };
    for planting in plantings {
        let planted = || planting.faults.iter().filter(|fault| finding == ANY || fault.kind == finding);
        let faulty: BTreeSet<i64> = planting.faults.iter().flat_map(|fault| fault.frames.clone()).collect();
        let before = &planting.listed_before;
        let new = |frame: &i64| !before.get(frame).is_some_and(|findings| has(findings, finding));
        let listed = sequences(&planting.listed, finding, new);
        counts.frames += planting.frames;
        counts.planted += planted().count();
        counts.found += planted().filter(|fault| is_found(fault, finding, &planting.listed)).count();
        counts.listed += listed.len();
        let right = |frames: &&Vec<i64>| frames.iter().any(|frame| faulty.contains(frame));
        counts.faulty += listed.iter().filter(right).count();
    }
    // Plantings in one video share its findings.
    let before: BTreeMap<*const Listed, &Listed> = plantings
        .iter()
        .map(|planting| (Rc::as_ptr(&planting.listed_before), planting.listed_before.as_ref()))
        .collect();
    counts.listed_before = before.values().map(|listed| sequences(listed, finding, |_| true).len()).sum();
    counts
}

fn has(findings: &BTreeSet<String>, finding: &str) -> bool {
    if finding == ANY { !findings.is_empty() } else { findings.contains(finding) }
}

/// Frames with a finding, divided into sequences of consecutive frames.
fn sequences(listed: &Listed, finding: &str, may: impl Fn(&i64) -> bool) -> Vec<Vec<i64>> {
    let frames = listed.iter().filter(|(frame, findings)| has(findings, finding) && may(frame));
    let frames: Vec<i64> = frames.map(|(frame, _)| *frame).collect();
    frames.chunk_by(|a, b| a + 1 == *b).map(<[i64]>::to_vec).collect()
}

/// Columns of the table.
pub(super) fn columns(counts: &[Counts]) -> Vec<Column> {
    let count = |of: fn(&Counts) -> usize| int32s(counts.iter().map(|counts| of(counts) as i32));
    let share = |part: fn(&Counts) -> usize, all: fn(&Counts) -> usize| {
        let ends = |counts: &Counts| wilson(part(counts) as f64, all(counts));
        [
            float64s(counts.iter().map(|counts| part(counts) as f64 / all(counts) as f64)),
            float64s(counts.iter().map(|counts| ends(counts).0)),
            float64s(counts.iter().map(|counts| ends(counts).1)),
        ]
    };
    let [recall, recall_low, recall_high] = share(|counts| counts.found, |counts| counts.planted);
    let [precision, precision_low, precision_high] = share(|counts| counts.faulty, |counts| counts.listed);
    vec![
        ("video", strings(counts.iter().map(|counts| &counts.video))),
        ("finding", strings(counts.iter().map(|counts| counts.finding))),
        ("frames", count(|counts| counts.frames)),
        ("planted", count(|counts| counts.planted)),
        ("found", count(|counts| counts.found)),
        ("recall", recall),
        ("recall_low", recall_low),
        ("recall_high", recall_high),
        ("listed", count(|counts| counts.listed)),
        ("faulty", count(|counts| counts.faulty)),
        ("precision", precision),
        ("precision_low", precision_low),
        ("precision_high", precision_high),
        ("listed_before", count(|counts| counts.listed_before)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(rows: &[(i64, &str)]) -> Listed {
        let mut listed = Listed::new();
        for (frame, finding) in rows {
            listed.entry(*frame).or_default().insert((*finding).to_owned());
        }
        listed
    }

    #[test]
    fn recall_counts_faults_and_precision_counts_sequences_that_are_new() {
        let fault =
            |kind: &str, frames: &[i64]| Fault { kind: kind.into(), strength: 1.0, frames: frames.into() };
        let before = Rc::new(listed(&[(30, "blurred"), (31, "blurred"), (50, "blurred")]));
        let planting = || Planting {
            video: String::new(),
            name: String::new(),
            frames: 60,
            faults: vec![
                fault("clipped", &[3]),
                fault("clipped", &[9]),
                fault("frozen", &[12, 13, 14]),
                fault("black", &[20]),
            ],
            // Fault 9 is listed with another finding. Frames 30 and 40 have no fault; 30 was listed before.
            listed: listed(&[
                (3, "clipped"),
                (3, "outlying"),
                (9, "outlying"),
                (13, "frozen"),
                (14, "frozen"),
                (30, "blurred"),
                (40, "clipped"),
            ]),
            listed_before: before.clone(),
        };
        let plantings = [planting(), planting()];
        let counts = of("a", &plantings.iter().collect::<Vec<_>>());
        let numbers = |finding: &str| {
            let row = counts.iter().find(|counts| counts.finding == finding).expect("a row");
            assert_eq!(row.frames, 120);
            [row.planted, row.found, row.listed, row.faulty, row.listed_before]
        };
        assert_eq!(numbers("clipped"), [4, 2, 4, 2, 0]);
        assert_eq!(numbers("outlying"), [0, 0, 4, 4, 0]);
        assert_eq!(numbers("frozen"), [2, 2, 2, 2, 0]);
        assert_eq!(numbers("black"), [2, 0, 0, 0, 0]);
        assert_eq!(numbers("blurred"), [0, 0, 0, 0, 2]);
        assert_eq!(numbers("any"), [8, 6, 8, 6, 2]);
    }
}
