//! Action records: keys, outputs and provenance of actions.

use std::sync::Arc;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::latest::LatestResult;
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
    /// Key with all its parts, so that differences between keys can be explained.
    pub key: ActionKey,
    /// Outputs by name.
    pub outputs: LiteMap<String, Object>,
    /// Provenance of the outputs.
    pub provenance: Provenance,
}

impl Record {
    /// Creates a record in the current format.
    pub fn new(key: ActionKey, outputs: LiteMap<String, Object>, provenance: Provenance) -> Self {
        Self { format: FORMAT, key, outputs, provenance }
    }
}

impl Store {
    /// Record of a key. Its objects may be missing from the store.
    pub fn record(&self, key: &Digest) -> Option<Record> {
        let record: Record = read_json(&self.record_path(key))?;
        (record.format == FORMAT && record.key.digest() == *key).then_some(record)
    }

    /// Outputs of the action with this key, if every output that is declared now is in the store and intact
    /// ([`Store::intact`]).
    pub fn hit(&self, key: &Digest, decl: &StageDecl) -> Option<Arc<LatestResult>> {
        let Record { outputs, provenance, .. } = self.record(key)?;
        let head = LatestResult::new(*key, outputs, &provenance, decl)?;
        head.outputs.values().all(|object| self.intact(object)).then(|| Arc::new(head))
    }

    /// Claims an action. Waits while another process performs the action, as [`Store::lock`] does.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn claim(
        &self,
        key: &Digest,
        holder: &str,
        waiting: impl FnMut(&str) -> bool,
    ) -> Result<Option<Lock>> {
        Lock::take(self.record_path(key).with_extension("draft"), holder, waiting)
    }

    /// Writes the record of a claimed action, and replaces an older record of this key. The objects in the
    /// record must be on disk ([`Store::sync`]).
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn write_record(&self, claim: Lock, record: &Record) -> Result<()> {
        let text = serde_json::to_vec(record).expect("records are plain data");
        claim.turn_into(&self.record_path(&record.key.digest()), &text)
    }

    pub(super) fn record_path(&self, key: &Digest) -> std::path::PathBuf {
        self.shared.path("actions").join(format!("{key}.json"))
    }
}
