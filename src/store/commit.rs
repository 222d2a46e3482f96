//! Commit of a record to a shared store, any number of times and in any order: the first complete record of a key stays.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, IoContext, Result};
use serde::Serialize;

use super::claim::{Claim, Held};
use super::files::{entries, remove};
use super::half::read_json;
use super::place::object_names;
use super::provenance::Provenance;
use super::record::{Record, read_record, record_name};
use super::root::Store;
use super::shared::access::no_links;
use super::shared::lease::Lease;
use crate::declare::ArtifactKind;

/// Record of an action that the store has after a commit.
#[derive(Debug)]
pub enum Committed {
    /// The new one.
    Own,
    /// The one of another run, which computed outputs of the same content.
    Equal(Box<Record>),
    /// The one of another run, which computed other outputs. The new one is kept next to it as evidence.
    Diverged(Box<Record>),
}

/// Two runs that computed different results with the same key.
#[derive(Debug, Serialize)]
pub struct Divergence {
    /// Stage instance, as the first run calls it.
    pub stage: String,
    /// Key of the results.
    pub key: Digest,
    /// Run whose result is used.
    pub used: String,
    /// Run whose result differs.
    pub other: String,
}

/// Looks at the record of another run, each after a pause, until it and its objects are seen. Common file systems show
/// them within seconds.
const LOOKS: usize = 12;

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { stage, key, used, other } = self;
        write!(
            f,
            "{stage} ({}) is not deterministic: run {other} computed another result than run {used}, which is used",
            key.short()
        )
    }
}

/// Folder of records that differ from the first one of their key.
pub(super) const DIVERGED: &str = "diverged";

impl Store {
    /// Writes the record of a claimed action. In a store of one machine it replaces an older record of this key; in a
    /// shared store the first complete record stays. The objects in the record must be on disk ([`Store::sync`]).
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn write_record(&self, claim: Claim, record: &Record) -> Result<Committed> {
        let path = self.record_path(&record.key.digest());
        match claim.0 {
            Held::Lock(lock) => {
                let text = serde_json::to_vec(record).expect("records are plain data");
                lock.turn_into(&path, &text)?;
                Ok(Committed::Own)
            }
            Held::Lease(lease) => {
                let committed = self.commit(&lease, &path, record)?;
                let stays = match &committed {
                    Committed::Own => record,
                    Committed::Equal(first) | Committed::Diverged(first) => first,
                };
                self.replace_earlier(stays)?;
                Ok(committed)
            }
        }
    }

    /// Removes the project's own record of a key, which was computed before the project used a shared store, if it has other
    /// outputs: it would be found first.
    fn replace_earlier(&self, stays: &Record) -> Result<()> {
        let key = stays.key.digest();
        let Some(path) = self.earlier.as_ref().map(|own| own.path(record_name(&key))) else { return Ok(()) };
        let differs = read_record(&path, &key).is_some_and(|own| !contents(&own).eq(contents(stays)));
        if differs { remove(&path) } else { Ok(()) }
    }

    /// Results in the shared store that differ from the first ones of their keys.
    ///
    /// # Errors
    /// Returns an error if the store cannot be listed.
    pub fn divergences(&self) -> Result<Vec<Divergence>> {
        if self.sharing.is_none() {
            return Ok(Vec::new());
        }
        let evidence = entries(&self.shared.path(DIVERGED))?;
        let found = evidence.iter().filter_map(|path| {
            let other: Record = read_json(path)?;
            let key = other.key.digest();
            let Provenance { stage, run: used, .. } = self.record(&key)?.provenance;
            Some(Divergence { stage, key, used, other: other.provenance.run })
        });
        Ok(found.collect())
    }

    /// Commits the record of an action to `path`.
    pub(super) fn commit(&self, lease: &Lease, path: &Path, record: &Record) -> Result<Committed> {
        let draft = self.record_draft(path, record)?;
        let committed = self.commit_draft(&draft, lease, path, record);
        let _ = fs::remove_file(&draft);
        committed
    }

    fn commit_draft(&self, draft: &Path, lease: &Lease, path: &Path, record: &Record) -> Result<Committed> {
        let sharing = self.sharing.as_ref().expect("a lease is of a shared store");
        // A run that was frozen for long may have lost its objects to garbage collection.
        if let Some(object) =
            record.outputs.values().find(|object| !self.is_shared(object) && !self.is_restored(object))
        {
            return Err(Error::user_error(
                Code::NotComputed,
                format!("{} was removed from the shared store during this action", object.bytes),
                "run again to recompute it",
            ));
        }
        match fs::hard_link(draft, path) {
            Ok(()) => {
                lease.publish(path);
                self.restore_outputs(record);
                return Ok(Committed::Own);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::StorageFull) => {
                return Err(error).io_context("cannot link", path);
            }
            Err(error) => return Err(no_links(self.shared.root(), &error)),
        }
        // The other record may not be seen here yet.
        let look = |number: usize| {
            (0..number.min(1)).for_each(|_| sharing.wait_for_news());
            self.first_record(lease, path, record)
        };
        let first = (0..LOOKS).find_map(look);
        let Some(first) = first.filter(|first| {
            first.outputs.values().all(|object| self.is_shared(object) || self.is_restored(object))
        }) else {
            // It is damaged, or lacks an object.
            fs::rename(draft, path).io_context("cannot write", path)?;
            lease.publish(path);
            self.restore_outputs(record);
            return Ok(Committed::Own);
        };
        if contents(&first).eq(contents(record)) {
            return Ok(Committed::Equal(Box::new(first)));
        }
        let evidence = self.shared.path(DIVERGED).join(format!("{}.{}", lease.name(), record.provenance.run));
        fs::rename(draft, &evidence).io_context("cannot write", evidence)?;
        Ok(Committed::Diverged(Box::new(first)))
    }

    /// Brings back objects that garbage collection has set aside since they were found to be there.
    fn restore_outputs(&self, record: &Record) {
        for name in record.outputs.values().flat_map(object_names) {
            if self.shared.path(&name).symlink_metadata().is_err() {
                self.restore(&name);
            }
        }
    }

    /// Writes a record to a temporary file next to its place, and syncs it.
    fn record_draft(&self, path: &Path, record: &Record) -> Result<PathBuf> {
        let draft = path.with_extension(format!("{}.draft", record.provenance.run));
        let text = serde_json::to_vec(record).expect("records are plain data");
        let written = File::create(&draft).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        written.io_context("cannot write", &draft)?;
        Ok(draft)
    }

    /// The record that another run has committed.
    fn first_record(&self, lease: &Lease, path: &Path, record: &Record) -> Option<Record> {
        let key = record.key.digest();
        let fresh = || self.sharing.as_ref().map(|sharing| sharing.records_of_lease(lease.name()));
        let found = read_record(path, &key);
        found.or_else(|| fresh()?.iter().find_map(|path| read_record(path, &key)))
    }
}

/// Names, kinds and contents of the outputs: bytes may differ, for example of a table that was compressed by another
/// version.
fn contents(record: &Record) -> impl Iterator<Item = (&String, ArtifactKind, Digest)> {
    record.outputs.iter().map(|(name, object)| (name, object.kind, object.content))
}
