//! The latest action of each stage of a pipeline over a dataset, with what it made: one file, so
//! that a run with nothing to do reads one file. The records are the truth; this can be deleted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Object, Store, read_json};
use crate::error::Result;
use crate::key::Digest;

/// A stage's latest action.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Head {
    /// Its key.
    pub key: Digest,
    /// What it made.
    pub outputs: BTreeMap<String, Object>,
    /// Seconds it took.
    pub seconds: f64,
}

/// Latest actions by stage instance.
pub type Heads = BTreeMap<String, Head>;

impl Store {
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

    fn heads_path(&self, pipeline: &str, dataset: &str) -> PathBuf {
        let name = if dataset.is_empty() { pipeline.to_owned() } else { format!("{pipeline}/{dataset}") };
        self.path("heads").join(name + ".json")
    }
}
