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

/// Time between two looks at the file.
const PAUSE: Duration = Duration::from_millis(200);

/// Number of bytes that one event covers at most.
const PIECE: u64 = 1 << 20;

/// Position from which the page needs changes.
#[derive(Deserialize)]
pub(crate) struct Since {
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
    Query(Since { since }): Query<Since>,
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
/// Returns an error if there is no such run.
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
        let lines = whole_lines(&self.path, self.at).unwrap_or_default();
        self.at += lines.len() as u64;
        self.ended |= add_changes(changes, &lines);
        !lines.is_empty()
    }
}

fn json(changes: &Changes) -> String {
    serde_json::to_string(changes).expect("texts by name")
}

/// Reads the whole lines after a position; a line that is still being written is left for later.
fn whole_lines(path: &FilePath, at: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(PIECE).read_to_end(&mut bytes)?;
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes.truncate(end);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
