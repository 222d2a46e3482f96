//! Logs of stages.

use std::fs;
use std::path::PathBuf;

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use callsheet::store::Tail;
use callsheet_worker::error::{IoContext, Result};
use serde_json::json;

use crate::app::App;
use crate::run_stage::RunStage;

/// Largest number of bytes of a log that is sent at once.
const PIECE: u64 = 256 << 10;

/// Whole log as a file that the browser saves.
///
/// # Errors
/// Returns an error if there is no such log, or it cannot be read.
pub(crate) fn whole_log(app: &App, run: &str, stage: &str) -> Result<impl IntoResponse + use<>> {
    let (path, _) = log(app, run, stage)?;
    let text = fs::read(&path).io_context("cannot read", &path)?;
    let kind = "text/plain; charset=utf-8".to_owned();
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, format!("attachment; filename=\"{stage}.log\""))], text))
}

/// Text that the log has after a position, the new position, and true if the run goes on.
///
/// # Errors
/// Returns an error if there is no such log, or it cannot be read.
pub(crate) fn log_since(app: &App, run: &str, stage: &str, since: &str) -> Result<impl IntoResponse + use<>> {
    let (path, runs) = log(app, run, stage)?;
    let mut tail: Tail = since.parse().unwrap_or_default();
    let bytes = tail.read(&path, PIECE)?;
    let more = runs || bytes.len() as u64 == PIECE;
    let answer = json!({ "text": String::from_utf8_lossy(&bytes), "at": tail.to_string(), "more": more });
    Ok(([(CONTENT_TYPE, "application/json")], answer.to_string()))
}

/// Returns the path of a log, and true if the run goes on.
fn log(app: &App, run: &str, stage: &str) -> Result<(PathBuf, bool)> {
    let store = app.workspace()?.store;
    let RunStage { folder, is_running } = RunStage::find(&store, run, stage)?;
    Ok((folder.log(stage), is_running))
}
