//! Hashes the store again, to find damage that sizes and times do not show.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use rayon::prelude::*;

use super::files::remove;
use super::half::draft_folder;
use super::object::Object;
use super::place::{digest_object, intact_at, object_name};
use super::record::record_name;
use super::root::Store;

/// Damaged file or folder in the store.
#[derive(Debug)]
pub struct Damage {
    /// Path of the file or folder.
    pub path: PathBuf,
    /// Description of the damage.
    pub what: String,
    /// The object, if the damage is one.
    object: Option<Object>,
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
            bad.map(|(path, what)| Damage { path: path.clone(), what: what.into(), object: None }).collect();
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
                    object: Some(object),
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

    /// Removes damaged objects and their records, so that the next run recomputes them. In a shared store, each is looked
    /// at again after it was set aside: others may have replaced it since it was found to be damaged.
    ///
    /// # Errors
    /// Returns an error if a file cannot be removed, or the store cannot be listed.
    pub fn heal(&self, damage: &[Damage]) -> Result<()> {
        let aside = draft_folder(&self.staging_of_run())?;
        for (number, Damage { path, object, .. }) in damage.iter().enumerate() {
            // Only this project uses its own store.
            if !path.starts_with(self.shared.root()) || self.sharing.is_none() {
                remove(path)?;
                continue;
            }
            let moved = aside.path().join(number.to_string());
            let is_moved = match fs::rename(path, &moved) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).io_context("cannot remove", path);
                }
                done => done.is_ok(),
            };
            let is_good = object.as_ref().is_some_and(|object| intact_at(object, &moved));
            if is_moved && is_good {
                // If an equal one has taken the place, this one goes.
                let _ = fs::rename(&moved, path);
            }
        }
        self.mark_removal()?;
        for half in self.results() {
            for (key, record) in &self.inventory_of(half, &BTreeSet::new())?.records {
                let lacks = |object: &Object| !intact_at(object, &half.path(object_name(&object.bytes)));
                // Records of one half may name objects of the other.
                if record.outputs.values().any(|object| lacks(object) && !self.intact(object)) {
                    remove(&half.path(record_name(key)))?;
                }
            }
        }
        Ok(())
    }
}
