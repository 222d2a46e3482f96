//! Logs of stages.

use std::io;
use std::path::PathBuf;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use callsheet::store::Tail;
use callsheet_worker::error::Result;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::app::App;
use crate::run_stage::RunStage;

/// Largest number of bytes of a log that is sent at once.
const PIECE: u64 = 256 << 10;

/// Whole log as a file that the browser saves. It is sent in pieces, because it can be larger than the memory.
///
/// # Errors
/// Returns an error if the run or the stage is unknown.
pub(crate) fn whole_log(app: &App, run: &str, stage: &str) -> Result<impl IntoResponse + use<>> {
    let (path, _) = log(app, run, stage)?;
    let pieces = unfold((path, Tail::default()), |(path, mut tail)| async move {
        let read = move || tail.read(&path, PIECE).map(|bytes| (bytes, (path, tail)));
        match spawn_blocking(read).await {
            Ok(Ok((bytes, _))) if bytes.is_empty() => None,
            Ok(Ok((bytes, next))) => Some((Ok(bytes), next)),
            // The browser reports that the file is incomplete.
            Ok(Err(error)) => Some((Err(io::Error::other(error)), Default::default())),
            Err(error) => Some((Err(io::Error::other(error)), Default::default())),
        }
    });
    let kind = "text/plain; charset=utf-8".to_owned();
    let headers =
        [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, format!("attachment; filename=\"{stage}.log\""))];
    Ok((headers, Body::from_stream(pieces)))
}

/// Text that the log has after a position, the new position, and true if the run goes on.
///
/// # Errors
/// Returns an error if the run or the stage is unknown, or the log cannot be read.
pub(crate) fn log_since(app: &App, run: &str, stage: &str, since: &str) -> Result<impl IntoResponse + use<>> {
    let (path, runs) = log(app, run, stage)?;
    let mut tail: Tail = since.parse().unwrap_or_default();
    let text = tail.read_text(&path, PIECE)?;
    // The last characters of a piece can be replaced by longer ones, and a cut one is left out.
    let more = runs || text.len() as u64 + 4 > PIECE;
    let answer = json!({ "text": text, "at": tail.to_string(), "more": more });
    Ok(([(CONTENT_TYPE, "application/json")], answer.to_string()))
}

/// Returns the path of a log, and true if the run goes on.
fn log(app: &App, run: &str, stage: &str) -> Result<(PathBuf, bool)> {
    let store = app.workspace()?.store;
    let RunStage { folder, is_running, .. } = RunStage::find(&store, run, stage)?;
    Ok((folder.log(stage), is_running))
}
