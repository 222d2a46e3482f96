//! Garbage collection: unreferenced results are removed, the cheapest to recompute first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result};

use super::files::{entries, files, remove, size};
use super::half::Half;
use super::inventory::Inventory;
use super::lock::Lock;
use super::object::Object;
use super::orphans::Orphan;
use super::record::{Record, record_name};
use super::root::Store;
use super::runs::began;

/// Content of the store that garbage collection would remove.
#[derive(Debug, Default)]
pub struct Garbage {
    /// Keys of records, each with the seconds that its action took and the bytes that its removal frees.
    pub records: Vec<(Digest, f64, u64)>,
    /// Latest actions to forget, because no pipeline declares their stages.
    pub orphans: BTreeSet<Orphan>,
    /// Files and folders to remove, with their sizes.
    pub paths: Vec<(PathBuf, u64)>,
    /// Bytes of the results that remain.
    pub remaining: u64,
}

impl Garbage {
    /// Bytes that removing the garbage frees.
    pub fn bytes(&self) -> u64 {
        self.paths.iter().map(|(_, bytes)| bytes).sum()
    }
}

impl Store {
    /// Returns unreferenced content of the project's own store, as if `orphans` were forgotten already. Results that were
    /// computed after `since` are kept. With a `budget` in bytes, includes only as many records as are necessary to reduce
    /// the objects to the budget. Records that take the fewest seconds per byte to recompute come first.
    ///
    /// # Errors
    /// Returns an error if the store cannot be listed, or if a pin or a file of latest actions is unreadable.
    pub fn garbage(
        &self,
        budget: Option<u64>,
        since: SystemTime,
        orphans: BTreeSet<Orphan>,
    ) -> Result<Garbage> {
        let own = self.own_results();
        let inventory = self.inventory_of(own, &orphans)?;
        if let Some(lost) = inventory.lost.first() {
            return Err(Error::user_error(
                Code::Unreadable,
                format!(
                    "cannot read {}, which lists the results to keep; nothing was removed",
                    lost.display()
                ),
                "run `callsheet verify --heal` to remove the file, then repeat `callsheet run` or `pin`",
            ));
        }
        let begin = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let is_old = |_: &Digest, record: &Record| {
            record.provenance.started as f64 + record.provenance.seconds < begin
        };
        let (mut garbage, kept) = results_garbage(own, &inventory, budget, is_old)?;
        garbage.orphans = orphans;
        for path in inventory.unreadable.iter().cloned().chain(self.leftovers(&inventory, &kept, since)?) {
            garbage.paths.push((path.clone(), size(&path)?));
        }
        Ok(garbage)
    }

    /// Checkpoints of finished actions whose records are not kept, folders of failed workers of runs that began before
    /// `since`, and drafts that killed runs left behind. Records, metrics and logs of runs are never garbage.
    fn leftovers(
        &self,
        inventory: &Inventory,
        kept: &BTreeSet<Digest>,
        since: SystemTime,
    ) -> Result<Vec<PathBuf>> {
        let kept = kept.iter().filter_map(|key| inventory.records.get(key));
        let scratch: BTreeSet<String> = kept.map(|record| record.key.scratch_digest().to_string()).collect();
        // Checkpoints without any record belong to an unfinished action, which can resume from them.
        let all = inventory.records.values().map(|record| record.key.scratch_digest().to_string());
        let finished: BTreeSet<String> = all.filter(|name| !scratch.contains(name)).collect();
        let named = |path: &PathBuf, known: &BTreeSet<String>| {
            known.contains(&*path.file_name().unwrap_or_default().to_string_lossy())
        };
        let mut paths: Vec<PathBuf> = entries(&self.own_results().path("scratch"))?
            .into_iter()
            .filter(|path| named(path, &finished))
            .collect();
        let old = self.run_ids().into_iter().filter(|id| began(id).is_none_or(|began| began < since));
        paths.extend(old.map(|id| self.run_dir(&id).all_failed()).filter(|failed| failed.is_dir()));
        paths.extend(
            entries(&self.own_results().path("actions"))?
                .into_iter()
                .filter(|p| p.extension().is_some_and(|e| e == "draft")),
        );
        Ok(paths)
    }

    /// Removes garbage. The caller must hold [`Store::exclusive`].
    ///
    /// # Errors
    /// Returns an error if a file cannot be removed.
    pub fn remove(&self, garbage: &Garbage) -> Result<()> {
        self.forget(&garbage.orphans)?;
        // Records are removed first, so that an interrupted removal causes a cache miss, never a damaged hit.
        garbage.paths.iter().try_for_each(|(path, _)| remove(path))
    }

    /// Locks the store against runs, which hold [`Store::shared`].
    ///
    /// # Errors
    /// Returns an error if a run is in progress, or the store cannot be written.
    pub fn exclusive(&self) -> Result<Lock> {
        self.create()?;
        Lock::try_take(self.workspace.path("locks/store.lock"), true)?.ok_or_else(|| {
            Error::user_error(
                Code::Busy,
                "a run is in progress in this store",
                "wait until the run ends, or stop it with Ctrl-C",
            )
        })
    }

    /// Locks the store against garbage collection. Creates the store's folders if the folder of locks is
    /// missing.
    ///
    /// # Errors
    /// Returns an error if garbage collection is in progress, or the store cannot be written.
    pub fn shared(&self) -> Result<Lock> {
        let path = self.workspace.path("locks/store.lock");
        let lock = Lock::try_take(path.clone(), false).or_else(|error| {
            if path.parent().is_some_and(Path::is_dir) {
                return Err(error);
            }
            self.create()?;
            Lock::try_take(path, false)
        });
        lock?.ok_or_else(|| {
            Error::user_error(Code::Busy, "the store is being cleaned", "wait until `callsheet gc` is done")
        })
    }
}

/// Unreferenced records, objects and rows of one half, and the keys of the records that stay. Only records for which
/// `is_old` returns true are removed.
pub(super) fn results_garbage(
    half: &Half,
    inventory: &Inventory,
    budget: Option<u64>,
    is_old: impl Fn(&Digest, &Record) -> bool,
) -> Result<(Garbage, BTreeSet<Digest>)> {
    let mut kept: BTreeSet<Digest> = inventory.records.keys().copied().collect();
    let mut garbage = Garbage::default();
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for name in inventory.made().flat_map(|(_, object)| object.names()) {
        *uses.entry(name).or_default() += 1;
    }
    let mut total: u64 = uses.keys().filter_map(|name| inventory.objects.get(name)).sum();
    for key in unneeded(inventory, is_old) {
        if budget.is_some_and(|budget| total <= budget) {
            break;
        }
        let record = &inventory.records[&key];
        let mut freed = 0;
        for name in record.outputs.values().flat_map(Object::names) {
            let uses = uses.entry(name.clone()).or_default();
            *uses = uses.saturating_sub(1);
            if *uses == 0 {
                freed += inventory.objects.get(&name).copied().unwrap_or_default();
            }
        }
        total -= freed;
        kept.remove(&key);
        garbage.records.push((key, record.provenance.seconds, freed));
        let path = half.path(record_name(&key));
        garbage.paths.push((path.clone(), size(&path)?));
    }
    garbage.remaining = total;
    let rows = row_digests(half)?;
    let mut objects = inventory.objects_of(&kept);
    objects.extend(inventory.shown.iter().cloned());
    objects.extend(unfinished(inventory, &rows));
    for (name, bytes) in inventory.objects.iter().filter(|(name, _)| !objects.contains(*name)) {
        garbage.paths.push((half.path("objects").join(&name[..2.min(name.len())]).join(name), *bytes));
    }
    for (path, _) in rows.iter().filter(|(_, segment)| !objects.contains(segment)) {
        garbage.paths.push((path.clone(), size(path)?));
    }
    Ok((garbage, kept))
}

/// Names of segments in pools without a record: a run computed their rows, but did not finish the table.
fn unfinished(inventory: &Inventory, rows: &[(PathBuf, String)]) -> Vec<String> {
    let finished: BTreeSet<String> =
        inventory.records.values().filter_map(|record| Some(record.key.pool()?.to_string())).collect();
    let pool = |path: &PathBuf| {
        path.parent().and_then(|pool| Some(pool.file_name()?.to_string_lossy().into_owned()))
    };
    let open = rows.iter().filter(|(path, _)| pool(path).is_none_or(|pool| !finished.contains(&pool)));
    open.map(|(_, segment)| segment.clone()).collect()
}

/// Every file of row digests, with the name of its segment.
fn row_digests(half: &Half) -> Result<Vec<(PathBuf, String)>> {
    let paths = files(&half.path("rows"))?.into_iter();
    let named = paths.map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (path, name)
    });
    Ok(named.collect())
}

/// Keys of unreferenced records; those that take the fewest seconds per byte to recompute come first.
fn unneeded(inventory: &Inventory, is_old: impl Fn(&Digest, &Record) -> bool) -> Vec<Digest> {
    let unneeded = inventory.records.iter();
    let unneeded = unneeded.filter(|(key, record)| !inventory.needed.contains(key) && is_old(key, record));
    let mut worth: Vec<(f64, Digest)> = unneeded
        .map(|(key, record)| {
            let bytes: u64 = record.outputs.values().map(|object| object.size).sum();
            (record.provenance.seconds / bytes.max(1) as f64, *key)
        })
        .collect();
    worth.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    worth.into_iter().map(|(_, key)| key).collect()
}
