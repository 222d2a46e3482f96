//! Protocol between the engine and a worker.
//!
//! The engine starts `<command> <request.json>` in an empty folder. The worker reads the request,
//! writes each output to the path given there, and may write events to the file named by the
//! environment variable `CALLSHEET_EVENTS`, one JSON object a line:
//!
//! ```json
//! {"progress": {"done": 30, "total": 96, "unit": "frames"}}
//! {"metric": {"name": "loss/triplet", "step": 500, "value": 0.031}}
//! {"log": {"level": "warning", "message": "2 frames were unreadable"}}
//! {"image": {"name": "samples", "step": 500, "path": "samples.png"}}
//! {"error": {"message": "no frame in a.mp4", "help": "is it a video?"}}
//! ```
//!
//! A metric called `loss/..` is of a training, one called `held_out/..` the quality of it on data that it does not train on:
//! reports say how long that took.
//!
//! Exit code 0 and the declared outputs mean success, with or without events.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Environment variable that names the file to write events to.
pub const EVENTS_VARIABLE: &str = "CALLSHEET_EVENTS";

/// Environment variable of a project's command: path of the engine's program.
pub const ENGINE_VARIABLE: &str = "CALLSHEET";

/// Environment variable of a project's command: absolute path of the project's data folder.
pub const DATA_VARIABLE: &str = "CALLSHEET_DATA";

/// Environment variable that names the run.
pub const RUN_VARIABLE: &str = "CALLSHEET_RUN";

/// Version of the request and of the events.
pub const PROTOCOL: u32 = 1;

/// Requests without a version are of the first one.
fn first_protocol() -> u32 {
    1
}

/// An input as the worker sees it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct RequestInput {
    /// Absolute paths: one for an artifact; for a source sorted; for an input that takes many
    /// instances of a stage in the order of their values.
    pub paths: Vec<PathBuf>,
    /// For a source: the same paths relative to the source's own folder; row keys start with them.
    /// For many instances: the values of each as its name has them, `v4-0`.
    pub names: Vec<String>,
    /// For many instances: the values of each by name, `{"objective": "v4", "seed": 0}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<BTreeMap<String, Value>>,
}

/// `request.json`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct WorkRequest {
    /// Version of this protocol, [`PROTOCOL`]. A worker refuses a request of a higher version.
    #[serde(default = "first_protocol")]
    pub protocol: u32,
    /// Name of the stage's folder.
    pub stage: String,
    /// Inputs by declared name; unwired optional ones are absent.
    pub inputs: BTreeMap<String, RequestInput>,
    /// Every declared parameter.
    pub params: BTreeMap<String, Value>,
    /// Absolute path to write each output to.
    pub outputs: BTreeMap<String, PathBuf>,
    /// Folder that survives a kill and is the same for every budget: for checkpoints. It is there if
    /// the stage has a budget parameter or its command says `{scratch}`.
    pub scratch: PathBuf,
    /// CPUs the worker may use.
    pub cpus: usize,
    /// Labels of stand-ins for raw data that the outputs are based on, e.g. `synthetic stand-in`.
    pub labels: Vec<String>,
    /// Name-value pairs for the footer of every table.
    pub footer: BTreeMap<String, String>,
}

/// Importance of a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", from = "String")]
pub enum Level {
    /// Kept in the log of the run.
    Info,
    /// Shown to the user while the run goes on.
    Warning,
}

/// Levels that are not known are remarks.
impl From<String> for Level {
    fn from(level: String) -> Self {
        if level == "warning" { Self::Warning } else { Self::Info }
    }
}

/// One line from a worker.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerEvent {
    /// Progress.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// Unit that is counted, e.g. `frames`.
        unit: String,
    },
    /// A measured value.
    Metric {
        /// `group/name`.
        name: String,
        /// Step it was measured at.
        step: u64,
        /// The value.
        value: f64,
    },
    /// A picture to look at while the stage runs; the engine takes a copy, soon: the file stays as it is
    /// until the next picture of that name, or the end.
    Image {
        /// `group/name`.
        name: String,
        /// Step it was made at.
        step: u64,
        /// A PNG file, absolute or relative to the worker's folder; in what a run keeps, relative to the run's.
        path: PathBuf,
    },
    /// A remark for the user.
    Log {
        /// Its importance.
        level: Level,
        /// The remark.
        message: String,
    },
    /// Error, after which the worker exits with a failure.
    Error {
        /// The problem, with the file named and the value quoted.
        message: String,
        /// The remedy.
        #[serde(default)]
        help: String,
    },
}
