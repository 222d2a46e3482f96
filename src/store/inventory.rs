//! Content of the store: records, objects, and the keys and objects that are needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;

use super::files::{entries, files, size};
use super::half::{Half, read_json};
use super::latest::{LATEST, LatestResults};
use super::object::Object;
use super::orphans::Orphan;
use super::record::Record;
use super::root::Store;

/// Everything in a store.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Readable records by key.
    pub records: BTreeMap<Digest, Record>,
    /// Files in the folder of records that are not records of this version.
    pub unreadable: Vec<PathBuf>,
    /// Sizes of objects on disk in bytes, by name: the digest of the object's bytes.
    pub objects: BTreeMap<String, u64>,
    /// Files of latest actions and pins that cannot be read.
    pub lost: Vec<PathBuf>,
    /// Keys of the latest actions, of pins, and of the actions whose outputs are in `shown`.
    pub needed: BTreeSet<Digest>,
    /// Names of objects to which a link in `data/out` leads, or which a latest action names.
    pub shown: BTreeSet<String>,
}

impl Store {
    /// Lists the store.
    ///
    /// # Errors
    /// Returns an error if a folder of the store cannot be read.
    pub fn inventory(&self) -> Result<Inventory> {
        let mut inventory = Inventory::default();
        for half in self.results() {
            self.list_results(half, &mut inventory)?;
        }
        self.list_needs(&BTreeSet::new(), &mut inventory)?;
        Ok(inventory)
    }

    /// Lists the results of one half, and what the project needs once `orphans` are forgotten.
    pub(super) fn inventory_of(&self, half: &Half, orphans: &BTreeSet<Orphan>) -> Result<Inventory> {
        let mut inventory = Inventory::default();
        self.list_results(half, &mut inventory)?;
        self.list_needs(orphans, &mut inventory)?;
        Ok(inventory)
    }

    pub(super) fn list_results(&self, half: &Half, inventory: &mut Inventory) -> Result<()> {
        for path in entries(&half.path("actions"))? {
            if path.extension().is_none_or(|kind| kind != "json") {
                continue;
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let key = serde_json::from_value(name.into()).ok();
            match key.and_then(|key| Some((key, self.record_at(&path, &key)?))) {
                Some((key, record)) => _ = inventory.records.entry(key).or_insert(record),
                None => inventory.unreadable.push(path),
            }
        }
        for shelf in entries(&half.path("objects"))? {
            for path in entries(&shelf)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                *inventory.objects.entry(name).or_default() += own_size(&path)?;
            }
        }
        Ok(())
    }

    pub(super) fn list_needs(&self, orphans: &BTreeSet<Orphan>, inventory: &mut Inventory) -> Result<()> {
        for path in files(&self.workspace.path(LATEST))? {
            let Some(heads) = read_json::<LatestResults>(&path) else {
                inventory.lost.push(path);
                continue;
            };
            let orphans = orphans.iter().filter(|orphan| orphan.heads == path);
            let gone: BTreeSet<&str> = orphans.map(|orphan| orphan.stage.as_str()).collect();
            for (_, head) in heads.iter().filter(|(stage, _)| !gone.contains(stage.as_str())) {
                inventory.needed.insert(head.key);
                inventory.shown.extend(head.outputs.values().flat_map(Object::names));
            }
        }
        for path in files(&self.workspace.path("pins"))? {
            match read_json::<BTreeSet<Digest>>(&path) {
                Some(keys) => inventory.needed.extend(keys),
                None => inventory.lost.push(path),
            }
        }
        // A killed run has linked its results in `data/out`, but has not updated the latest actions.
        let gone: BTreeSet<&Path> =
            orphans.iter().flat_map(|orphan| &orphan.shown).map(PathBuf::as_path).collect();
        links(&self.workspace.path("../out"), &gone, &mut inventory.shown)?;
        inventory.need_shown();
        Ok(())
    }
}

impl Inventory {
    /// Adds the keys of the records of which an output is shown.
    pub(super) fn need_shown(&mut self) {
        for (key, record) in &self.records {
            if record.outputs.values().any(|object| self.shown.contains(&object.bytes.to_string())) {
                self.needed.insert(*key);
            }
        }
    }

    /// Names of the objects in the records with these keys.
    pub fn objects_of<'a>(&'a self, keys: impl IntoIterator<Item = &'a Digest>) -> BTreeSet<String> {
        let records = keys.into_iter().filter_map(|key| self.records.get(key));
        records.flat_map(|record| record.outputs.values()).flat_map(Object::names).collect()
    }

    /// Every object that a record names, with the stage instance that computed it.
    pub fn made(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.records.values().flat_map(|record| {
            record.outputs.values().map(|object| (record.provenance.stage.as_str(), object))
        })
    }
}

/// Bytes that belong to one object only. A table of segments contains hard or symbolic links to segments, which are objects
/// of their own.
fn own_size(path: &Path) -> Result<u64> {
    if !path.is_dir() {
        return size(path);
    }
    let own = |path: &PathBuf| match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => own_size(path),
        Ok(found) if found.is_file() && found.nlink() == 1 => Ok(found.len()),
        _ => Ok(0),
    };
    entries(path)?.iter().map(own).sum()
}

/// Adds the names of the objects to which the links below a folder lead, except for the links in `gone`.
fn links(folder: &Path, gone: &BTreeSet<&Path>, names: &mut BTreeSet<String>) -> Result<()> {
    for path in entries(folder)?.into_iter().filter(|path| !gone.contains(path.as_path())) {
        if let Ok(target) = fs::read_link(&path) {
            names.extend(target.file_name().map(|name| name.to_string_lossy().into_owned()));
        } else if path.is_dir() {
            links(&path, gone, names)?;
        }
    }
    Ok(())
}
