//! News of jobs: files with fresh names, because a cluster's file system may remember for a while which names did not exist.
//!
//! `news/<index>.<attempt>.<number>` has one JSON object per line. The file with the last news of an attempt ends in `.end`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::protocol::WorkerEvent;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};

use super::spec::JobDir;
use crate::run::rows::ShardPart;
use crate::store::LatestResult;

/// Longest time between an event of a worker and the file with the event.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// Bytes of news after which they are written at once.
const FLUSH_BYTES: usize = 1 << 16;

/// Extension of the file with the last news of an attempt.
pub(in crate::run) const END: &str = "end";

/// News of one task of a job.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::run) struct TaskNews {
    /// Position of the task among the tasks of the job.
    pub task: usize,
    pub update: TaskUpdate,
}

/// Something that happened to a task.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::run) enum TaskUpdate {
    /// The worker starts, and resumes from this progress of earlier attempts, as in `Update::Started`.
    Started(u64),
    /// A row-wise stage lacks some of its rows.
    Rows { missing: u64, of: u64 },
    /// Event of the worker.
    Worker(WorkerEvent),
    /// A part of a shard was computed.
    Part(ShardPart),
    /// The worker failed and is started again after these seconds.
    Retry(TaskError, f64),
    /// The action is over.
    Ended(TaskEnd),
}

/// End of a task.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::run) enum TaskEnd {
    /// Another run computed the result meanwhile.
    Taken(Arc<LatestResult>),
    /// The result was computed and published.
    Computed(Arc<LatestResult>),
    /// The shard was computed as far as it was meant to be.
    Shard,
    /// This other run computes the result, or holds its checkpoints.
    Leased(String),
    /// The job was asked to end.
    Stopped,
    /// The job's time was up before the task was over; another job can go on with it.
    OutOfTime,
    Failed(TaskError),
}

/// Error that travels from a node to the engine.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::run) struct TaskError {
    code: String,
    message: String,
    help: String,
}

impl From<&Error> for TaskError {
    fn from(error: &Error) -> Self {
        let help = error.help().map(|help| help.to_string()).unwrap_or_default();
        Self { code: error.kind().name().to_owned(), message: error.to_string(), help }
    }
}

impl From<TaskError> for Error {
    fn from(error: TaskError) -> Self {
        let code = Code::ALL.into_iter().find(|code| code.name() == error.code);
        Self::UserError { code: code.unwrap_or(Code::WorkerFailed), message: error.message, help: error.help }
    }
}

/// Writes the news of one attempt of a job. Events are written after two seconds or 64 KB.
pub(in crate::run) struct NewsWriter {
    shared: Arc<Shared>,
    flusher: Option<JoinHandle<()>>,
}

struct Shared {
    folder: PathBuf,
    attempt: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    text: Vec<u8>,
    number: u64,
    ended: bool,
}

impl NewsWriter {
    /// Returns a writer for the job at `index`; `attempt` has no dots.
    pub(in crate::run) fn new(dir: &JobDir, index: usize, attempt: &str) -> Self {
        let shared = Arc::new(Shared {
            folder: dir.news(),
            attempt: format!("{index}.{attempt}"),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let flushing = shared.clone();
        let flusher = thread::spawn(move || flushing.flush_regularly());
        Self { shared, flusher: Some(flusher) }
    }

    /// Adds news. Only an end of a task must be written for sure.
    ///
    /// # Errors
    /// Returns an error if the end of a task cannot be written.
    pub(in crate::run) fn write(&self, news: &TaskNews) -> Result<()> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.text.extend(serde_json::to_vec(news).expect("news are plain data"));
        state.text.push(b'\n');
        match &news.update {
            TaskUpdate::Ended(_) => self.shared.flush(&mut state),
            TaskUpdate::Started(_) | TaskUpdate::Part(_) | TaskUpdate::Retry(..) => {
                let _ = self.shared.flush(&mut state);
                Ok(())
            }
            _ if state.text.len() >= FLUSH_BYTES => {
                let _ = self.shared.flush(&mut state);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Ends the news of this attempt.
    ///
    /// # Errors
    /// Returns an error if they cannot be written.
    pub(in crate::run) fn end(mut self) -> Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> Result<()> {
        let Some(flusher) = self.flusher.take() else { return Ok(()) };
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended = true;
        let written = self.shared.flush(&mut state);
        drop(state);
        self.shared.changed.notify_all();
        let _ = flusher.join();
        written
    }
}

impl Drop for NewsWriter {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl Shared {
    fn flush_regularly(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.ended {
            if !state.text.is_empty() {
                // News that cannot be written now are written later.
                let _ = self.flush(&mut state);
            }
            state = self.changed.wait_timeout(state, FLUSH_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes what was not written yet to a file with a fresh name.
    fn flush(&self, state: &mut State) -> Result<()> {
        if state.text.is_empty() && !state.ended {
            return Ok(());
        }
        let extension = if state.ended { format!(".{END}") } else { String::new() };
        let path = self.folder.join(format!("{}.{:08}{extension}", self.attempt, state.number));
        let mut draft = tempfile::Builder::new()
            .prefix(".")
            .tempfile_in(&self.folder)
            .io_context("cannot write in", &self.folder)?;
        draft
            .write_all(&state.text)
            .and_then(|()| draft.as_file().sync_data())
            .io_context("cannot write", &path)?;
        draft.persist(&path).map_err(|error| error.error).io_context("cannot write", &path)?;
        state.text.clear();
        state.number += 1;
        Ok(())
    }
}

/// A file of news.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::run) struct NewsFile {
    /// Position of the job in its array.
    pub index: usize,
    /// Name of the attempt.
    pub attempt: String,
    /// Number of the file.
    pub number: u64,
    /// True if it is the last one of the attempt.
    pub is_end: bool,
    pub path: PathBuf,
}

impl NewsFile {
    /// Reads its news; `None` if the file cannot be read, for example because its content is not visible yet. A file appears
    /// complete, so that a malformed line means another version.
    pub(in crate::run) fn read(&self) -> Option<Vec<TaskNews>> {
        let text = fs::read_to_string(&self.path).ok()?;
        Some(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

/// Lists the files of news of a submission, in their order.
pub(in crate::run) fn list_news(dir: &JobDir) -> Vec<NewsFile> {
    let entries = fs::read_dir(dir.news()).into_iter().flatten().flatten();
    let parse = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let mut parts = name.split('.');
        let (index, attempt) = (parts.next()?.parse().ok()?, parts.next()?.to_owned());
        let number = parts.next()?.parse().ok()?;
        Some(NewsFile { index, attempt, number, is_end: parts.next() == Some(END), path })
    };
    let mut files: Vec<NewsFile> = entries.filter_map(|entry| parse(entry.path())).collect();
    files.sort();
    files
}
