//! Copy of the results that a project needs from the shared store to its own, so that it can go on without the shared one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use callsheet_worker::error::{IoContext, Result};

use super::attempt::{number, run_of};
use crate::store::files::{copy_tree, create_below, entries, files, remove};
use crate::store::half::{Half, draft_folder, read_json};
use crate::store::inventory::Inventory;
use crate::store::latest::{LATEST, LatestResults};
use crate::store::object::Object;
use crate::store::place::{intact_at, object_name};
use crate::store::record::{Record, record_name};
use crate::store::root::Store;
use crate::store::rows::pool_name;
use crate::store::seal::seal;
use crate::store::stored_tree::StoredTree;

/// Results that were copied from a shared store.
#[derive(Debug, Default)]
pub struct CopiedResults {
    /// Number of results.
    pub results: usize,
    /// Bytes of their artifacts.
    pub bytes: u64,
    /// Stages of which the result is damaged or missing in the shared store.
    pub damaged: Vec<String>,
}

impl Store {
    /// Copies the latest and the pinned results of the project, with the rows of its tables, and the checkpoints of its runs
    /// from the shared store to its own. Shows the copies in the folder `data`. Calls `progress` with the number of copied bytes and of all bytes
    /// after each object. Results that are damaged are left out.
    ///
    /// # Errors
    /// Returns an error if a result cannot be read or the project's own store cannot be written.
    pub fn copy_needed(&self, data: &Path, mut progress: impl FnMut(u64, u64)) -> Result<CopiedResults> {
        let Some(own) = &self.earlier else { return Ok(CopiedResults::default()) };
        own.create(&["objects", "actions", "rows", "staging"])?;
        let mut needs = Inventory::default();
        self.list_results(&self.shared, &mut needs)?;
        self.list_needs(&BTreeSet::new(), &mut needs)?;
        let records: Vec<&Record> = needs.needed.iter().filter_map(|key| needs.records.get(key)).collect();
        let all = records.iter().flat_map(|record| record.outputs.values()).map(|object| object.size).sum();
        let mut copied = CopiedResults::default();
        for record in &records {
            if !record.outputs.values().all(|object| self.is_whole(object)) {
                copied.damaged.push(record.provenance.stage.clone());
                continue;
            }
            for object in record.outputs.values() {
                self.copy_object(own, object)?;
                copied.bytes += object.size;
                progress(copied.bytes, all);
            }
            self.copy_rows(own, record)?;
            own.write_json(&own.path(record_name(&record.key.digest())), record)?;
            copied.results += 1;
        }
        self.copy_checkpoints(own)?;
        self.show_again(data)?;
        Ok(copied)
    }

    /// Copies the checkpoints of this project's runs, unless another run has gone on from them.
    fn copy_checkpoints(&self, own: &Half) -> Result<()> {
        let runs = self.run_ids();
        for work in entries(&self.shared.path("scratch"))? {
            let Some(newest) = entries(&work)?.into_iter().max_by_key(|attempt| number(attempt)) else {
                continue;
            };
            let of_project = run_of(&newest)
                .is_some_and(|process| runs.iter().any(|run| process.starts_with(run.as_str())));
            // Rows that a worker has returned are in this folder; they are in the store, too.
            if !of_project || newest.join("rows").is_dir() || entries(&newest)?.is_empty() {
                continue;
            }
            let draft = draft_folder(&own.path("staging"))?;
            let copy = draft.path().join("copy");
            copy_any(&newest, &copy)?;
            let to = own.path("scratch").join(work.file_name().unwrap_or_default());
            create_below(own.root(), &own.path("scratch"))?;
            remove(&to)?;
            fs::rename(&copy, &to).io_context("cannot write", to)?;
        }
        Ok(())
    }

    /// Returns true if the shared store has an object and its segments, intact.
    fn is_whole(&self, object: &Object) -> bool {
        self.is_shared(object)
            && object
                .parts
                .iter()
                .all(|part| self.segment_object(part).is_some_and(|segment| self.is_shared(&segment)))
    }

    fn copy_object(&self, own: &Half, object: &Object) -> Result<()> {
        let name = object_name(&object.bytes);
        let (from, to) = (self.shared.path(&name), own.path(&name));
        if intact_at(object, &to) {
            return Ok(());
        }
        let draft = draft_folder(&own.path("staging"))?;
        let copy = draft.path().join("copy");
        if object.parts.is_empty() {
            copy_any(&from, &copy)?;
            seal(object, &copy, &StoredTree::read(&copy, object.is_folder())?.files)?;
        } else {
            fs::create_dir(&copy).io_context("cannot create", &copy)?;
            self.copy_segments(own, object, &from, &copy)?;
        }
        create_below(own.root(), to.parent().unwrap_or(&to))?;
        // The object that has the place is damaged.
        remove(&to)?;
        fs::rename(&copy, &to).io_context("cannot write", to)
    }

    /// Copies the segments of a table, and links them into the folder `copy` under their names in the folder `from`.
    fn copy_segments(&self, own: &Half, table: &Object, from: &Path, copy: &Path) -> Result<()> {
        let names = entries(from)?;
        for (part, path) in table.parts.iter().zip(names) {
            if let Some(segment) = self.segment_object(part) {
                self.copy_object(own, &segment)?;
            }
            let to = copy.join(path.file_name().unwrap_or_default());
            fs::hard_link(own.path(object_name(part)), &to).io_context("cannot link", &to)?;
        }
        Ok(())
    }

    /// Copies the digests of the rows of a record's table, so that they are found there.
    fn copy_rows(&self, own: &Half, record: &Record) -> Result<()> {
        let Some(pool) = record.key.pool().map(|pool| pool_name(&pool)) else { return Ok(()) };
        let names: BTreeSet<String> = record.outputs.values().flat_map(Object::names).collect();
        for name in names {
            let (from, to) = (self.shared.path(&pool).join(&name), own.path(&pool).join(&name));
            if from.is_file() {
                create_below(own.root(), &own.path(&pool))?;
                fs::copy(&from, &to).io_context("cannot copy", from)?;
            }
        }
        Ok(())
    }

    /// Links the latest results again: now the copies are preferred.
    fn show_again(&self, data: &Path) -> Result<()> {
        for path in files(&self.workspace.path(LATEST))? {
            let Some(heads) = read_json::<LatestResults>(&path) else { continue };
            let out = heads.target().out(data);
            for (stage, head) in heads.iter() {
                for (object, name) in head.shown_names() {
                    let link = out.join(stage).join(name);
                    if link.is_symlink() {
                        self.show(object, &link, data)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Forgets the project in the shared store: it needs nothing there any more.
    ///
    /// # Errors
    /// Returns an error if a registration cannot be removed.
    pub fn unregister(&self) -> Result<()> {
        self.sharing.as_ref().map_or(Ok(()), |sharing| sharing.forget(self.workspace.root()))
    }
}

fn copy_any(from: &Path, to: &Path) -> Result<()> {
    let copied = if from.is_dir() {
        fs::create_dir(to).and_then(|()| copy_tree(from, to))
    } else {
        fs::copy(from, to).map(drop)
    };
    copied.io_context("cannot copy", from)
}
