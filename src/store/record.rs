//! Action records: what was made of what, by whom, how.

use std::collections::BTreeMap;
use std::sync::Arc;

use litemap::LiteMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Head, Lock, Object, Store, read_json};
use crate::declare::StageDecl;
use crate::error::Result;
use crate::key::{ActionKey, Digest};

/// Version of the records' format.
const FORMAT: u32 = 2;

/// How a result came to be; none of it is in the key.
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

/// What an action made.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Record {
    format: u32,
    /// The key, so that it can be explained.
    pub key: ActionKey,
    /// Outputs by name.
    pub outputs: LiteMap<String, Object>,
    /// How they came to be.
    pub provenance: Provenance,
}

impl Record {
    /// A record of the current format.
    pub fn new(key: ActionKey, outputs: LiteMap<String, Object>, provenance: Provenance) -> Self {
        Self { format: FORMAT, key, outputs, provenance }
    }
}

impl Store {
    /// The record under a key, whether or not its objects are still there.
    pub fn record(&self, key: &Digest) -> Option<Record> {
        let record: Record = read_json(&self.record_path(key))?;
        (record.format == FORMAT && record.key.digest() == *key).then_some(record)
    }

    /// What the action with this key made, if every output that is declared now is there and looks
    /// untouched.
    pub fn hit(&self, key: &Digest, decl: &StageDecl) -> Option<Arc<Head>> {
        let Record { outputs, provenance, .. } = self.record(key)?;
        let head = Head::new(*key, outputs, &provenance, decl)?;
        head.outputs.values().all(|object| self.intact(object)).then(|| Arc::new(head))
    }

    /// Claims an action, waiting for whoever performs it, as [`Store::lock`] does.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn claim(
        &self,
        key: &Digest,
        holder: &str,
        waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Lock>> {
        Lock::take(self.record_path(key).with_extension("draft"), holder, waiting)
    }

    /// Keeps the record of a claimed action; one under the same key is replaced. What it names must
    /// be durable.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn write_record(&self, claim: Lock, record: &Record) -> Result<()> {
        let text = serde_json::to_vec(record).expect("records are plain data");
        claim.turn_into(&self.record_path(&record.key.digest()), &text)
    }

    pub(super) fn record_path(&self, key: &Digest) -> std::path::PathBuf {
        self.path("actions").join(format!("{key}.json"))
    }
}
