//! Action records: what was made of what, by whom, how; and which action a stage did last.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Object, Store, read_json};
use crate::declare::{OutputDecl, StageDecl};
use crate::error::Result;
use crate::key::{ActionKey, Digest};

/// Version of the records' format.
const FORMAT: u32 = 1;

/// One output of an action: which object it is. The object's descriptor says the rest.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Output {
    /// Content digest of the object.
    pub content: Digest,
}

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
}

/// What an action made.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Record {
    format: u32,
    /// The key, so that it can be explained.
    pub key: ActionKey,
    /// Outputs by name.
    pub outputs: BTreeMap<String, Output>,
    /// How they came to be.
    pub provenance: Provenance,
}

impl Record {
    /// A record of the current format.
    pub fn new(key: ActionKey, outputs: BTreeMap<String, Output>, provenance: Provenance) -> Self {
        Self { format: FORMAT, key, outputs, provenance }
    }
}

/// The latest action of each stage instance of a pipeline over a dataset.
pub type Heads = BTreeMap<String, Digest>;

impl Store {
    /// The record under a key, whether or not its objects are still there.
    pub fn record(&self, key: &Digest) -> Option<Record> {
        let record: Record = read_json(&self.path("actions").join(format!("{key}.json")))?;
        (record.format == FORMAT && record.key.digest() == *key).then_some(record)
    }

    /// The record and the objects under a key, if every output that is declared now is there and
    /// looks untouched.
    pub fn hit(&self, key: &Digest, decl: &StageDecl) -> Option<(Record, BTreeMap<String, Object>)> {
        let record = self.record(key)?;
        let object = |(name, declared): (&String, &OutputDecl)| {
            let object = self.object(&record.outputs.get(name)?.content)?;
            (object.kind == declared.kind).then(|| (name.clone(), object))
        };
        let objects = decl.outputs.iter().map(object).collect::<Option<_>>()?;
        Some((record, objects))
    }

    /// Keeps a record; one under the same key is replaced.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn write_record(&self, record: &Record) -> Result<()> {
        let path = self.path("actions").join(format!("{}.json", record.key.digest()));
        self.write_json(&path, record)
    }

    /// The latest actions of a pipeline over a dataset.
    pub fn heads(&self, pipeline: &str, dataset: &str) -> Heads {
        read_json(&self.heads_path(pipeline, dataset)).unwrap_or_default()
    }

    /// Keeps the latest actions.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn write_heads(&self, pipeline: &str, dataset: &str, heads: &Heads) -> Result<()> {
        self.write_json(&self.heads_path(pipeline, dataset), heads)
    }

    fn heads_path(&self, pipeline: &str, dataset: &str) -> std::path::PathBuf {
        self.path("heads").join(pipeline).join(format!("{dataset}.json"))
    }
}
