//! Findings and their table.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::StringArray;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;

use super::frame::Frame;
use crate::lib::columns::{float64s, strings};

/// Possible defect of a frame that a person should look at.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    /// Frame that the finding is about.
    pub frame: &'a Frame,
    /// Kind: `black`, `blurred`, `clipped`, `duplicate`, `frozen` or `outlying`.
    pub kind: &'static str,
    /// Value of the measure.
    pub score: f64,
    /// Score from which a frame is reported.
    pub threshold: f64,
    /// Reason in words, with the numbers.
    pub reason: String,
    /// Earlier frame that this one repeats.
    pub other: Option<&'a Frame>,
}

/// Columns of the table.
pub(super) fn finding_schema() -> Schema {
    Schema::new(vec![
        Field::new("frame_id", DataType::Utf8, false),
        Field::new("finding", DataType::Utf8, false),
        Field::new("score", DataType::Float64, false),
        Field::new("threshold", DataType::Float64, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("other_frame_id", DataType::Utf8, true),
    ])
}

/// Converts findings to rows.
///
/// # Errors
/// Returns an error if the columns do not form a batch.
pub(super) fn to_batch(findings: &[Finding]) -> Result<RecordBatch> {
    let others = findings.iter().map(|finding| finding.other.map(|frame| frame.frame_id.as_str()));
    let columns = vec![
        strings(findings.iter().map(|finding| &finding.frame.frame_id)),
        strings(findings.iter().map(|finding| finding.kind)),
        float64s(findings.iter().map(|finding| finding.score)),
        float64s(findings.iter().map(|finding| finding.threshold)),
        strings(findings.iter().map(|finding| &finding.reason)),
        Arc::new(StringArray::from_iter(others)),
    ];
    Ok(RecordBatch::try_new(Arc::new(finding_schema()), columns)?)
}
