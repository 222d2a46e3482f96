//! Events of a run. The scheduler emits them; reporters in `cli/` print them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use callsheet_worker::digest::Digest;
use callsheet_worker::protocol::WorkerEvent;
use serde::{Deserialize, Serialize};

/// Line of a run's `events.ndjson`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LogLine<E = Event> {
    /// Seconds since the run began.
    pub at: f64,
    /// The event.
    #[serde(flatten)]
    pub event: E,
}

/// Reads the lines of `events.ndjson` whose text `wanted` accepts; a missing file has no lines. Skips
/// truncated lines, and lines of other versions with other fields.
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
        /// Id of the run.
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
        /// Number of bytes that are hashed.
        done: u64,
        /// Number of bytes of all raw files whose digest is not known.
        total: u64,
    },
    /// A stage's result was found in the store.
    Cached {
        /// The stage instance.
        stage: String,
        /// Key of the result.
        key: Digest,
    },
    /// The result of a stage is already being computed elsewhere.
    Waiting {
        /// The stage instance.
        stage: String,
        /// The run that computes it.
        holder: String,
    },
    /// Jobs of a stage wait on a cluster.
    Queued {
        /// The stage instance.
        stage: String,
        /// Reason for which they wait.
        reason: String,
    },
    /// A worker was started.
    Started {
        /// The stage instance.
        stage: String,
        /// Key of the result.
        key: Digest,
        /// Digest that actions share if they differ only in budget parameters.
        course: Digest,
        /// True if an earlier worker left a checkpoint.
        resumes: bool,
        /// Reasons why the result was not found, one per line.
        reasons: Vec<String>,
    },
    /// A row-wise stage looked for its rows in the store.
    Rows {
        /// The stage instance.
        stage: String,
        /// Number of rows that must be computed.
        compute: u64,
        /// Number of rows of the output table.
        of: u64,
    },
    /// A worker reported an event.
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
        /// Key of the result.
        key: Digest,
        /// Seconds since the stage was started.
        seconds: f64,
        /// Number of rows of each output table.
        rows: BTreeMap<String, u64>,
    },
    /// A stage failed; its outputs were not published.
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
    /// A worker failed and will be retried.
    Retrying {
        /// The stage instance.
        stage: String,
        /// The error.
        message: String,
        /// Seconds until the retry.
        seconds: f64,
    },
    /// The run is being stopped.
    Stopping {
        /// Number of workers that are requested to end.
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
        /// Id of the run.
        run: String,
        /// Number of stages whose result was cached.
        cached: usize,
        /// Number of stages that ran.
        ran: usize,
        /// Number of stages that failed or were blocked.
        failed: usize,
        /// Number of stages whose cached results `data/out` did not show before, if no stage ran.
        #[serde(default)]
        shown: usize,
        /// True if the run is in the list of runs.
        #[serde(default)]
        recorded: bool,
        /// Duration of the run in seconds.
        seconds: f64,
    },
}
