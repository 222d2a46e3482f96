//! Stream of a run's changes, as server-sent events. The id of each event is the number of bytes of `events.ndjson` that it
//! covers, so that a browser that reconnects misses nothing and gets nothing twice.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use callsheet::report::find_run;
use callsheet::store::{LockName, Store};
use callsheet_worker::error::Result;
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::changes::{Changes, add_changes};
use crate::app::App;
use crate::failure::Failure;

/// Polling interval.
const PAUSE: Duration = Duration::from_millis(200);

/// Number of bytes that one event covers at most.
const PIECE: u64 = 1 << 20;

/// Position from which the page needs changes.
#[derive(Deserialize)]
pub(crate) struct SincePosition {
    #[serde(default)]
    pub since: u64,
}

/// Run that a browser follows.
struct Follower {
    store: Store,
    run: String,
    path: PathBuf,
    at: u64,
    ended: bool,
}

/// Stream of the changes of a run's stages, until the run ends.
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Path(run): Path<String>,
    Query(SincePosition { since }): Query<SincePosition>,
    headers: HeaderMap,
) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    match spawn_blocking(move || Follower::new(&app, &run, last.unwrap_or(since))).await {
        Ok(Ok(follower)) => Sse::new(unfold(follower, next)).keep_alive(KeepAlive::default()).into_response(),
        Ok(Err(error)) => Failure::from(error).into_response(),
        Err(_) => Failure::failed("the events cannot be read".to_owned()).into_response(),
    }
}

/// Changes of a run's stages since a position, for a page that joins the stream of another one.
///
/// # Errors
/// Returns an error if the run is unknown.
pub(crate) fn changes_since(app: &App, run: &str, since: u64) -> Result<impl IntoResponse + use<>> {
    let mut follower = Follower::new(app, run, since)?;
    let mut changes = Changes::new();
    while follower.read(&mut changes) {}
    let answer = serde_json::json!({ "at": follower.at, "changes": changes });
    Ok(([(CONTENT_TYPE, "application/json")], answer.to_string()))
}

/// Waits for the next event; none after the run has ended.
async fn next(mut follower: Follower) -> Option<(Result<Event, Infallible>, Follower)> {
    while !follower.ended {
        let event;
        (follower, event) = spawn_blocking(move || {
            let event = follower.event();
            (follower, event)
        })
        .await
        .ok()?;
        if let Some(event) = event {
            return Some((Ok(event), follower));
        }
        sleep(PAUSE).await;
    }
    None
}

impl Follower {
    fn new(app: &App, run: &str, at: u64) -> Result<Self> {
        let store = app.workspace()?.store;
        let run = find_run(&store, run)?.run.id;
        let path = store.run_dir(&run).events();
        Ok(Self { store, run, path, at, ended: false })
    }

    /// Returns the next event, if the run has written anything or has ended.
    fn event(&mut self) -> Option<Event> {
        // The lock is read first: what the run wrote before it ended is then in the file.
        let runs = self.store.locked(&LockName::Run(&self.run));
        let mut changes = Changes::new();
        let more = self.read(&mut changes);
        self.ended |= !runs && !more;
        if !more && !self.ended {
            return None;
        }
        let name = if self.ended { "end" } else { "changes" };
        Some(Event::default().event(name).id(self.at.to_string()).data(json(&changes)))
    }

    /// Adds the changes in the next piece of the file; false if there is none.
    fn read(&mut self, changes: &mut Changes) -> bool {
        let Ok((lines, bytes)) = whole_lines(&self.path, self.at) else { return false };
        self.at += bytes;
        self.ended |= add_changes(changes, &lines);
        bytes > 0
    }
}

fn json(changes: &Changes) -> String {
    serde_json::to_string(changes).expect("texts by name")
}

/// Returns the position after the last whole line that the events of a run have now.
pub(crate) fn last_position(path: &FilePath) -> u64 {
    let found = File::open(path).and_then(|mut file| {
        let start = file.metadata()?.len().saturating_sub(PIECE);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(PIECE).read_to_end(&mut bytes)?;
        Ok(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| start + end as u64 + 1))
    });
    found.unwrap_or_default()
}

/// Reads the whole lines after a position, and their number of bytes. A line that is still being written is left for later;
/// one that is longer than a piece is skipped.
fn whole_lines(path: &FilePath, at: u64) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(PIECE).read_to_end(&mut bytes)?;
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => bytes.truncate(end + 1),
        None if bytes.len() as u64 == PIECE => return Ok((String::new(), PIECE)),
        None => bytes.clear(),
    }
    Ok((String::from_utf8_lossy(&bytes).into_owned(), bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_whole_lines_are_read_and_a_position_is_never_inside_a_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.ndjson");
        assert_eq!(last_position(&path), 0);
        fs::write(&path, "{\"a\":1}\n{\"b\":2}\n{\"c\"").expect("written");
        assert_eq!(last_position(&path), 16);
        assert_eq!(whole_lines(&path, 0).expect("read"), ("{\"a\":1}\n{\"b\":2}\n".to_owned(), 16));
        assert_eq!(whole_lines(&path, 16).expect("read"), (String::new(), 0));
        let long = format!("{}\n{{}}\n", "x".repeat(PIECE as usize + 10));
        fs::write(&path, long).expect("written");
        let (mut at, mut found) = (0, String::new());
        while let Ok((lines, bytes)) = whole_lines(&path, at)
            && bytes > 0
        {
            (at, found) = (at + bytes, lines);
        }
        assert!(found.ends_with("{}\n"), "a long line does not stop the stream");
    }
}
