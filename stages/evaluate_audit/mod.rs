//! Precision and recall of an audit on planted faults.

mod count;
mod planting;

use std::collections::BTreeSet;

use anyhow::Result;
use arrow::record_batch::RecordBatch;
use callsheet_worker::Job;

use crate::lib::columns::{batch, bools, float64s, int64s, strings};
use count::Counts;
use planting::Planting;

/// Name of the rows of all videos together.
const ALL: &str = "all videos";

/// Runs the stage.
///
/// # Errors
/// Returns an error if a table cannot be read, or the inputs do not have equally many tables.
pub(crate) fn run(job: &Job) -> Result<()> {
    let plantings = planting::read(job)?;
    if plantings.is_empty() {
        job.info("no faults are wired: the faults of the footage are not known, so nothing is measured");
    }
    let mut videos: Vec<&str> = plantings.iter().map(|planting| planting.video.as_str()).collect();
    videos.dedup();
    let of = |video: &str| plantings.iter().filter(|planting| planting.video == video).collect::<Vec<_>>();
    let mut counts: Vec<Counts> = videos.iter().flat_map(|video| count::of(video, &of(video))).collect();
    if videos.len() > 1 {
        counts.extend(count::of(ALL, &plantings.iter().collect::<Vec<_>>()));
    }
    write(job, "audit", count::rows(&counts)?)?;
    write(job, "faults_found", found(&plantings)?)
}

/// Rows of the table of faults.
fn found(plantings: &[Planting]) -> Result<RecordBatch> {
    let faults =
        || plantings.iter().flat_map(|planting| planting.faults.iter().map(move |fault| (planting, fault)));
    let none = BTreeSet::new();
    let findings = |planting: &Planting, frame: &i64| planting.listed.get(frame).unwrap_or(&none).clone();
    batch(vec![
        ("planting", strings(faults().map(|(planting, _)| &planting.name))),
        ("frame_index", int64s(faults().map(|(_, (frame, _))| *frame))),
        ("fault", strings(faults().map(|(_, (_, (fault, _)))| fault))),
        ("strength", float64s(faults().map(|(_, (_, (_, strength)))| *strength))),
        (
            "found",
            bools(faults().map(|(planting, (frame, (fault, _)))| findings(planting, frame).contains(fault))),
        ),
        (
            "findings",
            strings(faults().map(|(planting, (frame, _))| {
                findings(planting, frame).into_iter().collect::<Vec<String>>().join(", ")
            })),
        ),
    ])
}

fn write(job: &Job, output: &str, rows: RecordBatch) -> Result<()> {
    let mut table = job.table(output, rows.schema().as_ref().clone())?;
    table.write(&rows)?;
    Ok(table.finish()?)
}
