//! Action records: what was made of what, by whom, how.

use std::sync::Arc;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::heads::Head;
use super::lock::Lock;
use super::object::Object;
use super::provenance::Provenance;
use super::root::{Store, read_json};
use crate::declare::StageDecl;
use crate::key::ActionKey;

/// Version of the records' format.
const FORMAT: u32 = 2;

/// Record of an action.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Record {
    format: u32,
    /// The key, so that it can be explained.
    pub key: ActionKey,
    /// Outputs by name.
    pub outputs: LiteMap<String, Object>,
    /// Their provenance.
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
        self.shared.path("actions").join(format!("{key}.json"))
    }
}
