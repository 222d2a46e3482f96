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
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use callsheet::report::find_run;
use callsheet::store::{LockName, Store};
use callsheet_worker::error::Result;
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::changes::changes;
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
    since: u64,
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
    let follow = move || -> Result<Follower> {
        let store = app.workspace()?.store;
        let run = find_run(&store, &run)?.run.id;
        let path = store.run_dir(&run).events();
        Ok(Follower { store, run, path, at: last.unwrap_or(since), ended: false })
    };
    match spawn_blocking(follow).await {
        Ok(Ok(follower)) => Sse::new(unfold(follower, next)).keep_alive(KeepAlive::default()).into_response(),
        Ok(Err(error)) => Failure::from(error).into_response(),
        Err(_) => Failure::failed("the events cannot be read".to_owned()).into_response(),
    }
}

/// Waits for the next event; none after the run has ended.
async fn next(mut follower: Follower) -> Option<(Result<Event, Infallible>, Follower)> {
    while !follower.ended {
        let read;
        (follower, read) = spawn_blocking(move || {
            let read = follower.read();
            (follower, read)
        })
        .await
        .ok()?;
        if let Some(event) = read {
            return Some((Ok(event), follower));
        }
        sleep(PAUSE).await;
    }
    None
}

impl Follower {
    fn read(&mut self) -> Option<Event> {
        // The lock is read first: what the run wrote before it ended is then in the file.
        let runs = self.store.locked(&LockName::Run(&self.run));
        let lines = whole_lines(&self.path, self.at).unwrap_or_default();
        if lines.is_empty() && runs {
            return None;
        }
        self.at += lines.len() as u64;
        let (changes, ended) = changes(&lines);
        self.ended = ended || lines.is_empty();
        let name = if self.ended { "end" } else { "changes" };
        let data = serde_json::to_string(&changes).expect("texts by name");
        Some(Event::default().event(name).id(self.at.to_string()).data(data))
    }
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
