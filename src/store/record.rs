//! Action records: keys, outputs and provenance of actions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use callsheet_worker::digest::Digest;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::half::read_json;
use super::latest::LatestResult;
use super::object::Object;
use super::place::object_names;
use super::provenance::Provenance;
use super::root::Store;
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
        self.records(key).next()
    }

    /// Records of a key in the project's own store and in the shared one.
    fn records(&self, key: &Digest) -> impl Iterator<Item = Record> {
        let paths = self.results().map(|half| half.path(record_name(key)));
        let fresh = self.sharing.iter().flat_map(|sharing| sharing.records_of_lease(&key.to_string()));
        paths.chain(fresh).filter_map(|path| read_record(&path, key))
    }

    /// Record in a file that its folder lists. On a machine that has asked for its name too early, the record is found under
    /// another name, or after a wait.
    pub(super) fn record_at(&self, path: &Path, key: &Digest) -> Option<Record> {
        let other = || self.sharing.as_ref().and_then(|_| self.record(key));
        let late = || self.appears(path).then(|| read_record(path, key)).flatten();
        read_record(path, key).or_else(other).or_else(late)
    }

    /// Outputs of the action with this key, if every output that is declared now is in the store and intact
    /// ([`Store::intact`]).
    pub fn hit(&self, key: &Digest, decl: &StageDecl) -> Option<Arc<LatestResult>> {
        // A result that was looked at must not be removed before this run has ended.
        if let Some(sharing) = &self.sharing {
            sharing.intend([key.to_string()]).ok()?;
        }
        let mut found = self.records(key).filter_map(|Record { outputs, provenance, .. }| {
            let head = LatestResult::new(*key, outputs, &provenance, decl)?;
            head.outputs.values().all(|object| self.intact_or_restored(object)).then(|| Arc::new(head))
        });
        found.next()
    }

    /// Returns true if an object, which garbage collection had set aside, is back and intact.
    pub(super) fn is_restored(&self, object: &Object) -> bool {
        object_names(object).filter(|name| self.restore(name)).count() > 0 && self.intact(object)
    }

    /// Path of the record of a new result.
    pub(super) fn record_path(&self, key: &Digest) -> PathBuf {
        self.shared.path(record_name(key))
    }
}

pub(super) fn record_name(key: &Digest) -> PathBuf {
    Path::new("actions").join(format!("{key}.json"))
}

/// Reads the record of a key; `None` if the file is missing, damaged or the record of another key.
pub(super) fn read_record(path: &Path, key: &Digest) -> Option<Record> {
    let record: Record = read_json(path)?;
    (record.format == FORMAT && record.key.digest() == *key).then_some(record)
}
