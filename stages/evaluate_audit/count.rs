//! Numbers of planted, found and listed frames.

use std::collections::BTreeSet;

use anyhow::Result;
use arrow::record_batch::RecordBatch;

use super::planting::Planting;
use crate::lib::columns::{batch, float64s, int32s, strings};
use crate::lib::faults::names;
use crate::lib::wilson::wilson;

/// Name of the row that counts a frame with any finding.
const ANY: &str = "any";

/// Numbers of frames of a video, for one finding.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counts {
    pub video: String,
    pub finding: &'static str,
    /// Frames with the planted fault.
    pub planted: usize,
    /// Planted frames that are listed with the finding.
    pub found: usize,
    /// Frames that are listed with the finding.
    pub listed: usize,
    /// Listed frames that have any planted fault.
    pub faulty: usize,
    /// Frames that are listed with the finding without planted faults.
    pub listed_before: usize,
}

/// Counts for each kind of fault, and for any.
pub(super) fn of(video: &str, plantings: &[&Planting]) -> Vec<Counts> {
    names().into_iter().chain([ANY]).map(|finding| counts(video, finding, plantings)).collect()
}

fn counts(video: &str, finding: &'static str, plantings: &[&Planting]) -> Counts {
    let has = |findings: &BTreeSet<String>| {
        if finding == ANY { !findings.is_empty() } else { findings.contains(finding) }
    };
    let mut counts = Counts {
        video: video.to_owned(),
        finding,
        planted: 0,
        found: 0,
        listed: 0,
        faulty: 0,
        listed_before: 0,
    };
    for planting in plantings {
        let planted = || planting.faults.iter().filter(|(_, (fault, _))| finding == ANY || fault == finding);
        let listed = || planting.listed.iter().filter(|(_, findings)| has(findings));
        counts.planted += planted().count();
        counts.found += planted().filter(|(frame, _)| planting.listed.get(*frame).is_some_and(has)).count();
        counts.listed += listed().count();
        counts.faulty += listed().filter(|(frame, _)| planting.faults.contains_key(*frame)).count();
        counts.listed_before += planting.listed_before.values().filter(|findings| has(findings)).count();
    }
    counts
}

/// Rows of the table.
///
/// # Errors
/// Returns an error if the columns do not form a batch.
pub(super) fn rows(counts: &[Counts]) -> Result<RecordBatch> {
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
    batch(vec![
        ("video", strings(counts.iter().map(|counts| &counts.video))),
        ("finding", strings(counts.iter().map(|counts| counts.finding))),
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
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_is_by_fault_and_precision_by_any_planted_fault() {
        let listed = |rows: &[(i64, &str)]| {
            let mut listed = super::super::planting::Listed::new();
            for (frame, finding) in rows {
                listed.entry(*frame).or_default().insert((*finding).to_owned());
            }
            listed
        };
        let fault = |name: &str| (name.to_owned(), 1.0);
        let planting = Planting {
            video: String::new(),
            name: String::new(),
            faults: [(3, fault("clipped")), (9, fault("clipped")), (20, fault("black"))].into(),
            // Frame 9 is listed with another finding, frame 30 is sound.
            listed: listed(&[
                (3, "clipped"),
                (3, "outlying"),
                (9, "outlying"),
                (30, "clipped"),
                (30, "blurred"),
            ]),
            listed_before: listed(&[(30, "blurred")]),
        };
        let counts = of("a", &[&planting, &planting]);
        let numbers = |finding: &str| {
            let row = counts.iter().find(|counts| counts.finding == finding).expect("a row");
            [row.planted, row.found, row.listed, row.faulty, row.listed_before]
        };
        assert_eq!(numbers("clipped"), [4, 2, 4, 2, 0]);
        assert_eq!(numbers("outlying"), [0, 0, 4, 4, 0]);
        assert_eq!(numbers("black"), [2, 0, 0, 0, 0]);
        assert_eq!(numbers("blurred"), [0, 0, 2, 0, 2]);
        assert_eq!(numbers("any"), [6, 4, 6, 4, 2]);
    }
}
