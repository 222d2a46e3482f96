//! Precision and recall of an audit on planted faults.

mod count;
mod planting;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use callsheet_worker::Job;

use crate::lib::columns::{Column, bools, float64s, int32s, int64s, strings, write_table};
use count::{Counts, is_found};
use planting::{Fault, Planting};

/// Name of the rows of all videos together.
const ALL: &str = "all videos";

/// Runs the stage.
///
/// # Errors
/// Returns an error if a table cannot be read, or the inputs are not those of the same plantings.
pub(crate) fn run(job: &Job) -> Result<()> {
    let plantings = planting::read(job)?;
    if plantings.is_empty() {
        job.info("no faults are wired: the faults of the footage are not known, so nothing is measured");
    }
    let mut videos: BTreeMap<&str, Vec<&Planting>> = BTreeMap::new();
    for planting in &plantings {
        videos.entry(&planting.video).or_default().push(planting);
    }
    let mut counts: Vec<Counts> =
        videos.iter().flat_map(|(video, plantings)| count::of(video, plantings)).collect();
    if videos.len() > 1 {
        counts.extend(count::of(ALL, &plantings.iter().collect::<Vec<_>>()));
    }
    write_table(job, "audit", count::columns(&counts))?;
    write_table(job, "faults_found", faults_found(&plantings))
}

/// Columns of the table of faults.
fn faults_found(plantings: &[Planting]) -> Vec<Column> {
    let faults: Vec<(&Planting, &Fault)> = plantings
        .iter()
        .flat_map(|planting| planting.faults.iter().map(move |fault| (planting, fault)))
        .collect();
    let of_fault = |fault: fn(&Fault) -> i64| faults.iter().map(move |(_, one)| fault(one));
    let findings = |(planting, fault): &(&Planting, &Fault)| {
        let found = fault.frames.iter().filter_map(|frame| planting.listed.get(frame)).flatten();
        found.map(String::as_str).collect::<BTreeSet<&str>>().into_iter().collect::<Vec<_>>().join(", ")
    };
    vec![
        ("planting", strings(faults.iter().map(|(planting, _)| &planting.name))),
        ("first_frame", int64s(of_fault(|fault| fault.frames.first().copied().unwrap_or_default()))),
        ("frames", int32s(of_fault(|fault| fault.frames.len() as i64).map(|frames| frames as i32))),
        ("fault", strings(faults.iter().map(|(_, fault)| &fault.kind))),
        ("strength", float64s(faults.iter().map(|(_, fault)| fault.strength))),
        (
            "found",
            bools(faults.iter().map(|(planting, fault)| is_found(fault, &fault.kind, &planting.listed))),
        ),
        ("findings", strings(faults.iter().map(findings))),
    ]
}
