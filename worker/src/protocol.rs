//! Protocol between the engine and a worker.
//!
//! The engine starts `<command> <request.json>` in an empty folder. The worker reads the request and writes
//! each output to the path in the request. It may also append events, one JSON object per line, to the file
//! whose path is in the environment variable `CALLSHEET_EVENTS`:
//!
//! ```json
//! {"progress": {"done": 30, "total": 96, "unit": "frames"}}
//! {"metric": {"name": "loss/triplet", "step": 500, "value": 0.031}}
//! {"log": {"level": "warning", "message": "2 frames were unreadable"}}
//! {"image": {"name": "samples", "step": 500, "path": "samples.png"}}
//! {"error": {"message": "no frame in a.mp4", "help": "is it a video?"}}
//! ```
//!
//! Names of metrics can have a meaning for reports. `loss/..` is a training loss; `held_out/..` is the
//! quality on data that is not used for training. Reports compute training times from both.
//!
//! A stage succeeds if it exits with code 0 and has written its declared outputs. Events are optional.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::user_error;
use crate::numbers::{count, number, write_number};

/// Environment variable with the path of the file for events.
pub const EVENTS_VARIABLE: &str = "CALLSHEET_EVENTS";

/// Environment variable of a project's command: path of the engine (the program `callsheet`).
pub const ENGINE_VARIABLE: &str = "CALLSHEET";

/// Environment variable of a project's command: absolute path of the project's data folder.
pub const DATA_VARIABLE: &str = "CALLSHEET_DATA";

/// Environment variable with the id of the run.
pub const RUN_VARIABLE: &str = "CALLSHEET_RUN";

/// Version of the formats of the request and of the events.
pub const PROTOCOL: u32 = 1;

/// Version of a request that does not contain one.
fn first_protocol() -> u32 {
    1
}

/// An input, as described in the request.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct RequestInput {
    /// Absolute paths. An artifact has one path. Paths of a source are sorted. Paths of several stage
    /// instances are in the order of their values.
    pub paths: Vec<PathBuf>,
    /// For a source: its paths relative to the source's folder, with which row keys begin. For several
    /// instances: the values of each, as written in its name, e.g. `v4-0`.
    pub names: Vec<String>,
    /// For several instances: the values of each by name, e.g. `{"objective": "v4", "seed": 0}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<BTreeMap<String, Value>>,
}

/// Artifact as declared in stage.toml, for libraries that offer inputs and outputs by their kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct DeclaredArtifact {
    /// Kind: `table`, `file`, `directory` or `files`.
    pub kind: String,
    /// Format of a table: `parquet` or `json` (JSON lines).
    pub format: String,
    /// True if an input may have several artifacts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub many: bool,
    /// Types of columns by name. For an output table they are the declared ones, for an input table in JSON lines those of the
    /// table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
    /// True for the output of a row-wise stage, of which complete rows are kept if the worker fails.
    #[serde(default, skip_serializing_if = "is_false")]
    pub row_wise: bool,
    /// Table to which the verdicts in an input refer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<DeclaredVerdicts>,
}

/// Table to which verdicts refer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct DeclaredVerdicts {
    /// Name of the input or output that is the table.
    pub table: String,
    /// Column that identifies the rows.
    pub key: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// Inputs and outputs as declared in stage.toml, by name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Declared {
    /// Inputs, also optional ones that are not wired.
    pub inputs: BTreeMap<String, DeclaredArtifact>,
    /// Outputs.
    pub outputs: BTreeMap<String, DeclaredArtifact>,
}

/// Content of `request.json`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct WorkRequest {
    /// Version of this protocol, [`PROTOCOL`]. A worker rejects a request with a higher version.
    #[serde(default = "first_protocol")]
    pub protocol: u32,
    /// Name of the stage: the name of its folder in `stages/`.
    pub stage: String,
    /// Inputs by declared name. Optional inputs that are not wired are absent.
    pub inputs: BTreeMap<String, RequestInput>,
    /// Values of all declared parameters by name.
    pub params: BTreeMap<String, Value>,
    /// Absolute path at which to write each output, by name.
    pub outputs: BTreeMap<String, PathBuf>,
    /// Folder for checkpoints. Its content survives a killed worker, and values of budget parameters do not
    /// change its path. It exists if the stage has a budget parameter or its command contains `{scratch}`.
    pub scratch: PathBuf,
    /// Number of CPUs that the worker may use.
    pub cpus: usize,
    /// Labels of stand-ins for raw data on which the outputs are based, e.g. `synthetic stand-in`.
    pub labels: Vec<String>,
    /// Name-value pairs to write into the footer of every table.
    pub footer: BTreeMap<String, String>,
    /// Inputs and outputs as declared.
    #[serde(default)]
    pub declared: Declared,
}

impl WorkRequest {
    /// Reads the content of `request.json`.
    ///
    /// # Errors
    /// Returns an error if the text is not a request, or has a protocol above [`PROTOCOL`].
    pub fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let request: Self = serde_json::from_slice(text).context("malformed request")?;
        if request.protocol > PROTOCOL {
            return Err(user_error(
                format!("the request has protocol {}, but at most {PROTOCOL} is supported", request.protocol),
                "build the program with the version of callsheet-worker of this callsheet",
            ));
        }
        Ok(request)
    }
}

/// Importance of a log message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", from = "String")]
pub enum Level {
    /// Written to the log of the run.
    Info,
    /// Also shown to the user during the run.
    Warning,
}

/// An unknown level is read as [`Level::Info`].
impl From<String> for Level {
    fn from(level: String) -> Self {
        if level == "warning" { Self::Warning } else { Self::Info }
    }
}

/// Event of a worker: one line in the file of events.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerEvent {
    /// Progress of the stage.
    Progress {
        /// Number of units that are done.
        #[serde(deserialize_with = "count")]
        done: u64,
        /// Total number of units.
        #[serde(deserialize_with = "count")]
        total: u64,
        /// Name of the unit, e.g. `frames`.
        unit: String,
    },
    /// A measured value.
    Metric {
        /// Name, as `group/name`.
        name: String,
        /// Step at which the value was measured.
        #[serde(deserialize_with = "count")]
        step: u64,
        /// Measured value. In JSON, a value that is not finite is `"NaN"`, `"Infinity"` or `"-Infinity"`.
        #[serde(deserialize_with = "number", serialize_with = "write_number")]
        value: f64,
    },
    /// A picture to view while the stage runs. The engine copies it shortly afterwards. Until then the file
    /// must not change: keep it until the next picture with its name, or the end.
    Image {
        /// Name, as `group/name`.
        name: String,
        /// Step at which the picture was drawn.
        #[serde(deserialize_with = "count")]
        step: u64,
        /// Path of a PNG file: absolute, or relative to the worker's folder. In the stored events of a run,
        /// the path is relative to the folder of the run.
        path: PathBuf,
    },
    /// A message for the user.
    Log {
        /// Importance of the message.
        level: Level,
        /// The message.
        message: String,
    },
    /// An error. The worker exits with a failure after it.
    Error {
        /// The problem, with the name of the file and the value in backticks.
        message: String,
        /// The remedy.
        #[serde(default)]
        help: String,
    },
}
