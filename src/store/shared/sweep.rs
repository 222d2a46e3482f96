//! Garbage collection in a shared store, next to runs that write. Nothing is removed at once: it is set aside by a rename.
//! After a grace period, longer than names are stale, everything that somebody needs by then goes back to its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::attempt::{number, run_of};
use super::lease::LEASES;
use super::leftovers::ABANDONED;
use super::process::Holder;
use super::sharing::Sharing;
use super::workspaces::Workspace;
use crate::store::Garbage;
use crate::store::commit::DIVERGED;
use crate::store::files::{create_below, entries, files, remove, size};
use crate::store::gc::results_garbage;
use crate::store::half::{draft_folder, read_json};
use crate::store::inventory::Inventory;
use crate::store::record::{Record, record_name};
use crate::store::root::Store;

/// Folder of what was set aside.
pub(in crate::store) const REMOVALS: &str = "removals";

/// File that is created in a folder of `removals/` when everything was moved there.
const COMPLETE: &str = "complete";

/// Garbage of a shared store.
#[derive(Debug)]
pub struct Sweep {
    /// Results and other files that nobody needs.
    pub garbage: Garbage,
    /// Projects that were not seen for long; what only they need is garbage.
    pub forgotten: Vec<Workspace>,
    /// Folder of the store.
    pub root: PathBuf,
    registrations: Vec<PathBuf>,
}

/// Needs of all projects and runs.
struct Needs {
    keys: BTreeSet<Digest>,
    /// Names of objects; those in intents may also be keys.
    names: BTreeSet<String>,
    forgotten: Vec<(PathBuf, Workspace)>,
}

impl Needs {
    /// Names of records and objects, as the needs list them.
    fn listed(&self) -> BTreeSet<String> {
        self.keys.iter().map(Digest::to_string).chain(self.names.iter().cloned()).collect()
    }
}

impl Store {
    /// Returns what nobody needs in the shared store; `None` if the project uses none. Results younger than `age` are
    /// kept. `budget` has the meaning that it has for [`Store::garbage`].
    ///
    /// # Errors
    /// Returns an error if the store cannot be listed or written.
    pub fn shared_garbage(&self, budget: Option<u64>, age: Duration) -> Result<Option<Sweep>> {
        let Some(sharing) = &self.sharing else { return Ok(None) };
        self.create()?;
        let now = sharing.now(&self.shared.path("staging"))?;
        let needs = sharing.needs(now)?;
        let mut inventory = Inventory::default();
        self.list_results(&self.shared, &mut inventory)?;
        inventory.needed.extend(needs.keys);
        inventory.needed.extend(
            inventory
                .records
                .keys()
                .filter(|key| needs.names.contains(&key.to_string()))
                .copied()
                .collect::<Vec<_>>(),
        );
        inventory.shown.extend(needs.names);
        inventory.need_shown();
        let is_old = |key: &Digest, _: &_| is_older(&self.shared.path(record_name(key)), now, age);
        let (mut garbage, kept) = results_garbage(&self.shared, &inventory, budget, is_old)?;
        for path in self.abandoned(&inventory, &kept, now)? {
            garbage.paths.push((path.clone(), size(&path).unwrap_or_default()));
        }
        let (registrations, forgotten) = needs.forgotten.into_iter().unzip();
        Ok(Some(Sweep { garbage, forgotten, root: sharing.root.clone(), registrations }))
    }

    /// Removes garbage of the shared store: sets it aside, waits, and returns what somebody needs by then. Calls `waits`
    /// once before the wait. Also finishes what earlier calls, which were interrupted, have set aside. Afterwards `sweep`
    /// has only what was removed. Returns the paths that this user may not move, such as private folders of others.
    ///
    /// # Errors
    /// Returns an error if the needs of a project or a run cannot be read.
    pub fn sweep(&self, sweep: &mut Sweep, waits: impl FnOnce(Duration)) -> Result<Vec<PathBuf>> {
        let Some(sharing) = &self.sharing else { return Ok(Vec::new()) };
        let mut kept = Vec::new();
        let grace = sharing.settings.grace();
        let now = sharing.now(&self.shared.path("staging"))?;
        let removals = sharing.root.join(REMOVALS);
        for earlier in entries(&removals)? {
            // Another program may still be moving files there, unless it has died.
            let complete =
                is_older(&earlier.join(COMPLETE), now, grace) || is_older(&earlier, now, ABANDONED);
            if complete {
                kept.extend(self.finish(&earlier)?);
            }
        }
        sharing.forget_unseen(&sweep.registrations)?;
        if sweep.garbage.paths.is_empty() {
            return Ok(kept);
        }
        let folder = draft_folder(&removals)?.keep();
        let needed = self.names_needed(&sharing.needs(now)?)?;
        sweep.garbage.paths.retain(|(path, _)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_needed = needed.contains(name.trim_end_matches(".json"));
            let is_moved = !is_needed && move_below(path, &sharing.root, &folder).is_ok();
            if !is_needed && !is_moved {
                kept.push(path.clone());
            }
            is_moved
        });
        // A run may have looked at a result before it was set aside, but after its intent was looked for.
        self.put_back(&folder)?;
        let complete = folder.join(COMPLETE);
        File::create_new(&complete).io_context("cannot create", complete)?;
        waits(grace);
        thread::sleep(grace);
        kept.extend(self.finish(&folder)?);
        sweep.garbage.paths.retain(|(path, _)| path.symlink_metadata().is_err());
        sweep.garbage.records.retain(|(key, ..)| !self.record_path(key).exists());
        Ok(kept)
    }

    /// Returns the needed ones of the files that were set aside to their places, and removes the others, unless this user
    /// may not move a needed one. Returns these.
    fn finish(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let stuck = self.put_back(folder)?;
        if stuck.is_empty() {
            // The private folder of another user stays until this user collects garbage.
            let _ = remove(folder);
        }
        Ok(stuck)
    }

    /// Returns the needed ones of the files that were set aside to their places, and the paths of those that this user may
    /// not move.
    fn put_back(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let Some(sharing) = &self.sharing else { return Ok(Vec::new()) };
        let needs = sharing.needs(sharing.now(&self.shared.path("staging"))?)?;
        let keys = needs.listed();
        let mut stuck = Vec::new();
        let mut back = |paths: Vec<PathBuf>, names: &BTreeSet<String>| {
            for path in paths {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if names.contains(name.trim_end_matches(".json"))
                    && move_back(&path, folder, &sharing.root).is_err()
                {
                    stuck.push(path.clone());
                }
            }
        };
        back(files(&folder.join("actions"))?, &keys);
        let mut inventory = Inventory::default();
        self.list_results(&self.shared, &mut inventory)?;
        let mut names = inventory.objects_of(inventory.records.keys());
        names.extend(needs.names);
        for shelf in entries(&folder.join("objects"))? {
            back(entries(&shelf)?, &names);
        }
        back(files(&folder.join("rows"))?, &names);
        Ok(stuck)
    }

    /// Names of everything that somebody needs: of records, and of objects also where only a record that is needed names them.
    fn names_needed(&self, needs: &Needs) -> Result<BTreeSet<String>> {
        let mut names = needs.listed();
        let mut inventory = Inventory::default();
        self.list_results(&self.shared, &mut inventory)?;
        let keys = inventory.records.keys().filter(|key| names.contains(&key.to_string()));
        let objects = inventory.objects_of(keys);
        names.extend(objects);
        Ok(names)
    }

    /// Lets every project look again at what it needs in the shared store, because something was removed.
    pub(in crate::store) fn mark_removal(&self) -> Result<()> {
        let Some(sharing) = &self.sharing else { return Ok(()) };
        draft_folder(&sharing.root.join(REMOVALS)).map(drop)
    }

    /// Restores an object that garbage collection has set aside, if it has. Returns true if it was restored.
    pub(in crate::store) fn restore(&self, name: &Path) -> bool {
        let Some(sharing) = &self.sharing else { return false };
        let all = entries(&sharing.root.join(REMOVALS)).unwrap_or_default();
        all.iter().any(|folder| {
            let path = folder.join(name);
            path.symlink_metadata().is_ok() && move_back(&path, folder, &sharing.root).is_ok()
        })
    }

    /// Files that runs without a heartbeat left behind, unless another run may resume from them.
    fn abandoned(
        &self,
        inventory: &Inventory,
        kept: &BTreeSet<Digest>,
        now: SystemTime,
    ) -> Result<Vec<PathBuf>> {
        let Some(sharing) = &self.sharing else { return Ok(Vec::new()) };
        let mut paths = self.abandoned_attempts(sharing, inventory, kept, now)?;
        let old = |path: &PathBuf| is_older(path, now, ABANDONED);
        let intents = sharing.all_intents()?.1.into_iter().filter(|(path, _)| old(path));
        paths.extend(intents.filter(|(_, run)| !sharing.has_beat(run, now)).map(|(path, _)| path));
        let drafts = entries(&self.shared.path("actions"))?.into_iter().filter(old);
        paths.extend(drafts.filter(|path| path.extension().is_some_and(|kind| kind == "draft")));
        // A record next to a lease is a second name of one in `actions/`, for those who wait at this moment.
        let is_dead = |path: &PathBuf| {
            read_json::<Holder>(path).is_none_or(|holder| !sharing.has_beat(&holder.run, now))
        };
        paths.extend(files(&self.shared.path(LEASES))?.into_iter().filter(old).filter(is_dead));
        let keys: BTreeSet<String> = inventory.records.keys().map(Digest::to_string).collect();
        let is_known = |path: &PathBuf| {
            path.file_stem()
                .is_some_and(|name| keys.contains(name.to_string_lossy().split('.').next().unwrap_or("")))
        };
        let evidence = entries(&self.shared.path(DIVERGED))?.into_iter().filter(old);
        paths.extend(evidence.filter(|path| !is_known(path)));
        Ok(paths)
    }

    /// Attempts of runs without a heartbeat: those at finished work, and those that another attempt has taken over.
    fn abandoned_attempts(
        &self,
        sharing: &Sharing,
        inventory: &Inventory,
        kept: &BTreeSet<Digest>,
        now: SystemTime,
    ) -> Result<Vec<PathBuf>> {
        let work = |record: &Record| {
            let both = [Some(record.key.scratch_digest()), record.key.pool()];
            both.into_iter().flatten().map(|digest| digest.to_string())
        };
        let finished: BTreeSet<String> = inventory.records.values().flat_map(work).collect();
        let kept = kept.iter().filter_map(|key| inventory.records.get(key));
        // A longer budget may resume from these.
        let resumable: BTreeSet<String> =
            kept.filter(|record| !record.key.budget.is_empty()).flat_map(work).collect();
        let mut paths = Vec::new();
        for folder in entries(&self.shared.path("scratch"))? {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let attempts = entries(&folder)?;
            let newest = newest_of_each_owner(&attempts);
            let ended = finished.contains(&name) && !resumable.contains(&name);
            let gone = attempts.into_iter().filter(|attempt| {
                let run = run_of(attempt).unwrap_or_default();
                (ended || !newest.contains(attempt))
                    && is_older(attempt, now, ABANDONED)
                    && !sharing.has_beat(run, now)
            });
            paths.extend(gone);
        }
        Ok(paths)
    }
}

/// Newest attempt of each user: a later one of another user may not have been able to read the files of an earlier one.
fn newest_of_each_owner(attempts: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut newest: BTreeMap<u32, &PathBuf> = BTreeMap::new();
    let mut sorted: Vec<&PathBuf> = attempts.iter().collect();
    sorted.sort_by_key(|path| number(path));
    for path in sorted {
        newest.insert(fs::symlink_metadata(path).map_or(0, |found| found.uid()), path);
    }
    newest.into_values().cloned().collect()
}

impl Sharing {
    /// Needs of all projects and runs at this moment.
    fn needs(&self, now: SystemTime) -> Result<Needs> {
        let (known, forgotten) = self.workspaces(now)?;
        let mut needs = Needs { keys: BTreeSet::new(), names: self.all_intents()?.0, forgotten };
        for (_, workspace) in known {
            needs.keys.extend(workspace.needed);
            needs.names.extend(workspace.shown);
        }
        Ok(needs)
    }

    /// Time of the store's file system: clocks of machines differ.
    pub(super) fn now(&self, staging: &Path) -> Result<SystemTime> {
        let file = tempfile::NamedTempFile::new_in(staging).io_context("cannot write in", staging)?;
        file.as_file().metadata().and_then(|found| found.modified()).io_context("cannot read", staging)
    }

    /// Returns true if the run has written a heartbeat within an hour.
    fn has_beat(&self, run: &str, now: SystemTime) -> bool {
        self.beat_files(run).iter().any(|beat| !is_older(beat, now, ABANDONED))
    }
}

/// Returns true if a file or folder was written more than `age` before `now`.
fn is_older(path: &Path, now: SystemTime, age: Duration) -> bool {
    let written = fs::symlink_metadata(path).and_then(|found| found.modified());
    written.is_ok_and(|time| now.duration_since(time).is_ok_and(|old| old >= age))
}

/// Moves a file or folder from below `from` to the same place below `to`. Does nothing if it does not exist any more, or if
/// an equal one has that place.
fn move_below(path: &Path, from: &Path, to: &Path) -> Result<()> {
    let target = to.join(path.strip_prefix(from).unwrap_or(path));
    let folder = target.parent().unwrap_or(to);
    create_below(to, folder)?;
    match fs::rename(path, &target) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
            ) =>
        {
            Ok(())
        }
        moved => moved.io_context("cannot move", path),
    }
}

/// As [`move_below`], but a file that has the place already stays: it is newer.
fn move_back(path: &Path, from: &Path, to: &Path) -> Result<()> {
    if path.is_dir() {
        return move_below(path, from, to);
    }
    let target = to.join(path.strip_prefix(from).unwrap_or(path));
    create_below(to, target.parent().unwrap_or(to))?;
    let moved = match renameat_with(CWD, path, CWD, &target, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => without_replacing(path, &target),
        moved => moved.map_err(std::io::Error::from),
    };
    match moved {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => Ok(()),
        moved => moved.io_context("cannot move", path),
    }
}

/// Gives a file another name that does not exist, on a file system that cannot do so in one step.
fn without_replacing(path: &Path, target: &Path) -> std::io::Result<()> {
    match fs::hard_link(path, target) {
        // The kernel may forbid hard links to files of other users.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            if target.symlink_metadata().is_ok() {
                Ok(())
            } else {
                fs::rename(path, target)
            }
        }
        made => made,
    }
}
