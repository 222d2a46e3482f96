//! Provenance of a result.

use std::collections::BTreeMap;

use callsheet_worker::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Origin of a result. It is not part of the action key.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Provenance {
    /// Name of the stage instance.
    pub stage: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Name of the profile.
    pub profile: String,
    /// Id of the run that computed the result.
    pub run: String,
    /// Start of the action, in seconds since 1 January 1970 UTC.
    pub started: u64,
    /// Seconds from the start of the action until its outputs were published.
    pub seconds: f64,
    /// Peak resident memory of the worker, in bytes.
    pub peak_memory: Option<u64>,
    /// Number of CPUs assigned to the worker.
    pub cpus: usize,
    /// Model and instructions of the CPUs; empty if not known.
    #[serde(default)]
    pub cpu: String,
    /// Execution parameters.
    pub execution: BTreeMap<String, Value>,
    /// Host name.
    pub host: String,
    /// Git revision of the project, followed by `+` if the working tree had changes.
    pub revision: Option<String>,
    /// Digest of the program that the worker ran; `None` in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Digest>,
    /// Version of callsheet.
    pub callsheet: String,
    /// Raw files that the action read, with their digests.
    pub sources: BTreeMap<String, Digest>,
    /// Number of rows of each input that is a table, by its name in the key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub input_rows: BTreeMap<String, u64>,
    /// Number of rows that a row-wise stage computed; the others were in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed_rows: Option<u64>,
    /// Seconds of work for each of these rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_seconds: Option<f64>,
}
