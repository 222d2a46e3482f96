//! Events of a run. The scheduler emits them; reporters in `cli/` print them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use callsheet_worker::digest::Digest;
use callsheet_worker::protocol::WorkerEvent;
use serde::{Deserialize, Serialize};

/// A line of a run's `events.ndjson`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LogLine<E = Event> {
    /// Seconds since the run began.
    pub at: f64,
    /// The event.
    #[serde(flatten)]
    pub event: E,
}

/// Reads the lines of `events.ndjson` that `wanted` accepts as text; a missing file has none. Skips lines that are cut off,
/// and lines of another version with other fields.
pub fn read_log<W: Fn(&str) -> bool>(path: &Path, wanted: W) -> impl Iterator<Item = LogLine> + use<W> {
    let file = File::open(path).ok().map(BufReader::new);
    let lines = file.into_iter().flat_map(|file| file.lines().map_while(Result::ok));
    lines.filter(move |line| wanted(line)).filter_map(|line| serde_json::from_str(&line).ok())
}

/// Something that happened in a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// Version of the events, [`callsheet_worker::print::JSON_VERSION`].
        #[serde(default)]
        version: u32,
        /// Its id.
        run: String,
        /// Name of the pipeline.
        pipeline: String,
        /// Name of the dataset.
        dataset: String,
        /// Name of the profile.
        profile: String,
        /// `--set` options as typed.
        set: Vec<String>,
        /// Number of stages in the plan.
        stages: usize,
    },
    /// Raw files are being hashed.
    Hashing {
        /// Bytes done.
        done: u64,
        /// Bytes of all that are not remembered.
        total: u64,
    },
    /// A stage's result was found in the store.
    Cached {
        /// The stage instance.
        stage: String,
        /// Its key.
        key: Digest,
    },
    /// The same result is being computed.
    Waiting {
        /// The stage instance.
        stage: String,
        /// The run that computes it.
        holder: String,
    },
    /// A worker was started.
    Started {
        /// The stage instance.
        stage: String,
        /// Its key.
        key: Digest,
        /// Digest that shorter and longer trainings of the same course share.
        course: Digest,
        /// True if an earlier worker left a checkpoint.
        resumes: bool,
        /// Reasons why its result was not found, one per line.
        reasons: Vec<String>,
    },
    /// A row-wise stage looked for its rows in the store.
    Rows {
        /// The stage instance.
        stage: String,
        /// Rows that are to be computed.
        compute: u64,
        /// Rows of its table.
        of: u64,
    },
    /// A worker said something.
    Worker {
        /// The stage instance.
        stage: String,
        /// The worker's event.
        said: WorkerEvent,
    },
    /// A result was published.
    Finished {
        /// The stage instance.
        stage: String,
        /// Its key.
        key: Digest,
        /// Seconds since it was started.
        seconds: f64,
        /// Rows of each table it made.
        rows: BTreeMap<String, u64>,
    },
    /// A stage failed; nothing of it was published.
    Failed {
        /// The stage instance.
        stage: String,
        /// Kind of the error, such as `callsheet::worker_failed`.
        #[serde(default)]
        code: String,
        /// The error.
        message: String,
        /// The remedy.
        help: String,
    },
    /// A worker failed and is started again.
    Retrying {
        /// The stage instance.
        stage: String,
        /// The error.
        message: String,
        /// Seconds until then.
        seconds: f64,
    },
    /// The run is being stopped.
    Stopping {
        /// Workers that are told to end.
        workers: usize,
    },
    /// A worker was ended because the run is being stopped.
    Stopped {
        /// The stage instance.
        stage: String,
    },
    /// A stage could not start because one that it reads from failed.
    Blocked {
        /// The stage instance.
        stage: String,
        /// The stage that failed.
        by: String,
    },
    /// The run ends.
    RunFinished {
        /// Its id.
        run: String,
        /// Stages whose result was found.
        cached: usize,
        /// Stages that ran.
        ran: usize,
        /// Stages that failed or were blocked.
        failed: usize,
        /// Seconds of the whole run.
        seconds: f64,
    },
}
