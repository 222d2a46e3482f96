//! Provenance of a result.

use std::collections::BTreeMap;

use callsheet_worker::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Origin of a result; none of it is in the key.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Provenance {
    /// Instance, pipeline, dataset and profile it was made for.
    pub stage: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Name of the profile.
    pub profile: String,
    /// The run that made it.
    pub run: String,
    /// Start, in seconds since 1970 UTC.
    pub started: u64,
    /// Seconds from start to published.
    pub seconds: f64,
    /// Largest resident size of the worker, in bytes.
    pub peak_memory: Option<u64>,
    /// CPUs it was given.
    pub cpus: usize,
    /// Model and instructions of the CPUs; empty if not known.
    #[serde(default)]
    pub cpu: String,
    /// Execution parameters.
    pub execution: BTreeMap<String, Value>,
    /// Host name.
    pub host: String,
    /// Git revision of the project, with `+` if the tree was changed.
    pub revision: Option<String>,
    /// Version of callsheet.
    pub callsheet: String,
    /// Raw files it read, with their digests.
    pub sources: BTreeMap<String, Digest>,
    /// Rows that were computed, of a row-wise stage; the others were in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed_rows: Option<u64>,
}
