//! Work that a run with the present verdicts would do.

use axum::response::Response;
use callsheet::impact::impact;
use callsheet_worker::error::Result;
use serde::Serialize;

use crate::app::App;
use crate::data::json;
use crate::next_run::{rows_text, sentence};

/// Work that a run would do, as texts.
#[derive(Serialize)]
struct NextRun {
    sentence: String,
    stages: Vec<Stage>,
}

/// Stage that would run, or may run.
#[derive(Serialize)]
struct Stage {
    stage: String,
    /// Number of rows that it would compute, such as `240 of 744`; empty if it does not compute row by row.
    rows: String,
}

/// Answers with the work that a run would do. Stages that only list rows are run if `enumerate` is true, so that the rows
/// of the stages after them are known.
///
/// # Errors
/// Returns an error if the pipeline is invalid, or a raw file cannot be read.
pub(crate) fn next_run(app: &App, enumerate: bool) -> Result<Response> {
    let workspace = app.workspace()?;
    let planned = app.planned(&workspace, enumerate)?;
    let impact = impact(&workspace.store, &planned.plan.request.target, &planned.stages);
    let sentence = sentence(&impact, &planned.stages);
    let stage = |stage: callsheet::impact::StageImpact| Stage {
        stage: stage.stage,
        rows: stage.rows.map(rows_text).unwrap_or_default(),
    };
    Ok(json(&NextRun { sentence, stages: impact.stages.into_iter().map(stage).collect() }))
}
