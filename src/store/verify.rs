//! Hashes the store again, to find damage that sizes and times do not show.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use rayon::prelude::*;

use super::files::remove;
use super::object::Object;
use super::place::digest_object;
use super::record::record_name;
use super::root::Store;

/// Damaged file or folder in the store.
#[derive(Debug)]
pub struct Damage {
    /// Path of the file or folder.
    pub path: PathBuf,
    /// Description of the damage.
    pub what: String,
}

impl Store {
    /// Hashes every object that a record names, and calls `done` with the size of each in bytes.
    ///
    /// # Errors
    /// Returns an error if the store cannot be listed.
    pub fn verify(&self, done: impl Fn(u64) + Sync) -> Result<Vec<Damage>> {
        let inventory = self.inventory()?;
        let unreadable = inventory.unreadable.iter().map(|path| (path, "not a record of this version"));
        let lost = inventory.lost.iter().map(|path| (path, "cannot be read"));
        let bad = unreadable.chain(lost);
        let mut damage: Vec<Damage> =
            bad.map(|(path, what)| Damage { path: path.clone(), what: what.into() }).collect();
        let mut objects: BTreeMap<Digest, (&str, Object)> = BTreeMap::new();
        for (stage, object) in inventory.made() {
            objects.insert(object.bytes, (stage, object.clone()));
            let segments = object.parts.iter().filter_map(|part| self.segment_object(part));
            objects.extend(segments.map(|segment| (segment.bytes, (stage, segment))));
        }
        let damaged: Vec<Damage> = objects
            .into_par_iter()
            .filter_map(|(_, (stage, object))| {
                let what = self.damage(&object);
                done(object.size);
                Some(Damage {
                    path: self.object_path(&object),
                    what: format!("{} (computed by {stage})", what?),
                })
            })
            .collect();
        damage.extend(damaged);
        Ok(damage)
    }

    fn damage(&self, object: &Object) -> Option<String> {
        let path = self.object_path(object);
        if fs::symlink_metadata(&path).is_err() && !self.intact(object) {
            return Some("missing".into());
        }
        match digest_object(object, &path, &|_| {}) {
            Ok(digest) if digest != object.bytes => Some("its content has changed".into()),
            Ok(_) if !self.intact(object) => Some("its file type or modification time has changed".into()),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }

    /// Removes damaged objects and their records, so that the next run recomputes them.
    ///
    /// # Errors
    /// Returns an error if a file cannot be removed, or the store cannot be listed.
    pub fn heal(&self, damage: &[Damage]) -> Result<()> {
        damage.iter().try_for_each(|damage| remove(&damage.path))?;
        self.mark_removal()?;
        for (key, record) in &self.inventory()?.records {
            if !record.outputs.values().all(|object| self.intact(object)) {
                self.results().try_for_each(|half| remove(&half.path(record_name(key))))?;
            }
        }
        Ok(())
    }
}
