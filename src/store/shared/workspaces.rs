//! Projects that use a shared store, and what they need. A registration is written again under the next number, so that it
//! is found by listing the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, IoContext, Result};
use serde::{Deserialize, Serialize};

use super::process::Holder;
use super::sharing::Sharing;
use crate::store::files::{entries, remove};
use crate::store::half::read_json;
use crate::store::inventory::Inventory;
use crate::store::latest::LatestResult;
use crate::store::lock::LockName;
use crate::store::object::Object;
use crate::store::root::Store;

/// Folder of the registrations.
const WORKSPACES: &str = "workspaces";

/// File in the project's own store with the random part of its id.
const ID: &str = "workspace-id";

/// Age of a registration after which a run with nothing to do renews it.
const RENEWED: Duration = Duration::from_secs(24 * 3600);

/// Project that uses a shared store.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Workspace {
    /// Path of its store.
    pub path: PathBuf,
    /// Name of the user whose run registered it last.
    pub user: String,
    /// Name of the machine of this run.
    pub host: String,
    /// Keys of the results that it needs.
    pub needed: BTreeSet<Digest>,
    /// Names of the objects that it shows.
    pub shown: BTreeSet<String>,
}

/// Project, with the path of its registration.
pub(super) type Registered = (PathBuf, Workspace);

impl Store {
    /// Begins the heartbeats of the run `run` in the shared store, if there is one. A run begins before it looks at results:
    /// garbage collection keeps what a run has looked at, and what its project has registered.
    ///
    /// # Errors
    /// Returns an error if a store cannot be read or written.
    pub fn begin_run(&self, run: &str) -> Result<()> {
        let Some(sharing) = &self.sharing else { return Ok(()) };
        self.create()?;
        sharing.begin(run)?;
        self.register(false)
    }

    /// Registers with the shared store, if there is one, what the project needs now: garbage collection of the shared store
    /// keeps it. Does nothing if nothing has `changed`, unless the last registration is older than a day.
    ///
    /// # Errors
    /// Returns an error if a store cannot be read or written.
    pub fn register(&self, changed: bool) -> Result<()> {
        let own = self.workspace.root().to_owned();
        let Some(sharing) = self.sharing.as_ref().filter(|sharing| changed || sharing.must_register(&own))
        else {
            return Ok(());
        };
        self.register_with(sharing, BTreeSet::new(), BTreeSet::new())?;
        if changed {
            sharing.withdraw();
        }
        Ok(())
    }

    /// Registers results that the project will show, in addition to what it needs now: a run that is killed after it has
    /// shown them does not register them any more.
    ///
    /// # Errors
    /// Returns an error if a store cannot be read or written.
    pub fn register_next<'h>(&self, results: impl Iterator<Item = &'h LatestResult>) -> Result<()> {
        let Some(sharing) = &self.sharing else { return Ok(()) };
        let (mut needed, mut shown) = (BTreeSet::new(), BTreeSet::new());
        for result in results {
            needed.insert(result.key);
            shown.extend(result.outputs.values().flat_map(Object::names));
        }
        if needed.is_empty() { Ok(()) } else { self.register_with(sharing, needed, shown) }
    }

    fn register_with(
        &self,
        sharing: &Sharing,
        needed: BTreeSet<Digest>,
        shown: BTreeSet<String>,
    ) -> Result<()> {
        self.create()?;
        // Two runs of the project must not overwrite each other's needs.
        let _lock = self.lock(&LockName::LatestResults, "", |_| true)?;
        let own = self.workspace.root();
        let mut needs = Inventory::default();
        self.list_needs(&BTreeSet::new(), &mut needs)?;
        needs.needed.extend(needed);
        needs.shown.extend(shown);
        if !needs.lost.is_empty() {
            // A damaged file may list anything, so that everything stays needed that was needed before.
            let before = sharing.registration(own);
            needs.needed.extend(before.iter().flat_map(|before| before.needed.iter().copied()));
            needs.shown.extend(before.into_iter().flat_map(|before| before.shown));
        }
        sharing.register(own, needs.needed, needs.shown)
    }
}

impl Sharing {
    /// Registers what the project with its store at `own` needs.
    ///
    /// # Errors
    /// Returns an error if one of the stores cannot be written.
    pub(in crate::store) fn register(
        &self,
        own: &Path,
        needed: BTreeSet<Digest>,
        shown: BTreeSet<String>,
    ) -> Result<()> {
        let id = workspace_id(own)?;
        let Holder { user, host, .. } = Holder::this("");
        let workspace = Workspace { path: own.to_owned(), user, host, needed, shown };
        let folder = self.root.join(WORKSPACES);
        let draft = folder.join(format!("{id}.draft-{host}-{}", std::process::id(), host = workspace.host));
        let text = serde_json::to_vec(&workspace).expect("plain data");
        let written = fs::File::create(&draft).and_then(|mut file| file.write_all(&text));
        written.io_context("cannot write", &draft)?;
        let made = self.add_registration(&id, &draft);
        let _ = fs::remove_file(draft);
        // The last one before stays, for a program that has just listed it.
        for number in 0..made?.saturating_sub(1) {
            let _ = fs::remove_file(folder.join(format!("{id}.{number}")));
        }
        Ok(())
    }

    /// Links a registration to the next number of its project. Returns this number.
    fn add_registration(&self, id: &str, draft: &Path) -> Result<u64> {
        loop {
            let number = self.registrations()?.get(id).map_or(0, |(number, _)| number + 1);
            let path = self.root.join(WORKSPACES).join(format!("{id}.{number}"));
            match fs::hard_link(draft, &path) {
                // A run on another machine was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return made.map(|()| number).io_context("cannot link", path),
            }
        }
    }

    /// Latest registration of the project with its store at `own`.
    fn registration(&self, own: &Path) -> Option<Workspace> {
        let random = fs::read_to_string(own.join(ID)).ok()?;
        read_json(&self.registrations().ok()?.get(&id_of(&random, own))?.1)
    }

    /// Removes the registration of the project with its store at `own`.
    ///
    /// # Errors
    /// Returns an error if it cannot be removed.
    pub(super) fn forget(&self, own: &Path) -> Result<()> {
        let Ok(random) = fs::read_to_string(own.join(ID)) else { return Ok(()) };
        self.remove_registrations(&id_of(&random, own))
    }

    /// Removes registrations that were listed, unless their projects have registered again meanwhile.
    ///
    /// # Errors
    /// Returns an error if a registration cannot be removed.
    pub(super) fn forget_unseen(&self, listed: &[PathBuf]) -> Result<()> {
        let all = entries(&self.root.join(WORKSPACES))?;
        for (id, (_, latest)) in self.registrations()? {
            // A registration that is made from now on has a number that is not listed.
            if listed.contains(&latest) {
                let of_project = all.iter().filter(|path| path.file_stem().is_some_and(|stem| stem == &*id));
                of_project
                    .filter(|path| number(path) <= number(&latest))
                    .try_for_each(|path| remove(path))?;
            }
        }
        Ok(())
    }

    /// Removes all registrations of the project with this id.
    fn remove_registrations(&self, id: &str) -> Result<()> {
        let all = entries(&self.root.join(WORKSPACES))?.into_iter();
        let mut of_project = all.filter(|path| path.file_stem().is_some_and(|stem| stem == id));
        of_project.try_for_each(|path| remove(&path))
    }

    /// Returns true if the project with its store at `own` was not registered within a day.
    pub(in crate::store) fn must_register(&self, own: &Path) -> bool {
        let Ok(id) = fs::read_to_string(own.join(ID)) else { return true };
        let registrations = self.registrations().unwrap_or_default();
        let found = registrations.get(&id_of(&id, own));
        let found = found.and_then(|(_, path)| fs::metadata(path).ok()?.modified().ok());
        // The clock of this machine may be wrong in both directions.
        let is_old = |time: SystemTime| time.elapsed().unwrap_or_else(|ahead| ahead.duration()) > RENEWED;
        found.is_none_or(is_old)
    }

    /// Projects that use this store, and those that were not seen for so long that they are forgotten. `now` is a time of
    /// the store's file system.
    ///
    /// # Errors
    /// Returns an error if a registration cannot be read: its project may need everything.
    pub(super) fn workspaces(&self, now: SystemTime) -> Result<(Vec<Registered>, Vec<Registered>)> {
        let (mut known, mut forgotten) = (Vec::new(), Vec::new());
        for (id, (_, listed)) in self.registrations()? {
            let Some((path, workspace, seen)) = self.read_registration(&id, listed)? else { continue };
            let is_seen = now.duration_since(seen).unwrap_or_default() <= self.settings.forget();
            if is_seen { &mut known } else { &mut forgotten }.push((path, workspace));
        }
        Ok((known, forgotten))
    }

    /// Reads the registration of a project, which was listed at this path. It may have been replaced since; `None` if the
    /// project has left the store.
    fn read_registration(
        &self,
        id: &str,
        mut path: PathBuf,
    ) -> Result<Option<(PathBuf, Workspace, SystemTime)>> {
        loop {
            let seen = fs::metadata(&path).and_then(|found| found.modified()).ok();
            if let Some((workspace, seen)) = read_json(&path).zip(seen) {
                return Ok(Some((path, workspace, seen)));
            }
            match self.registrations()?.remove(id) {
                Some((_, latest)) if latest != path => path = latest,
                None if path.symlink_metadata().is_err() => return Ok(None),
                _ => return Err(unreadable(&path)),
            }
        }
    }

    /// Latest registration of each project, by its id.
    fn registrations(&self) -> Result<BTreeMap<String, (u64, PathBuf)>> {
        let mut latest = BTreeMap::new();
        for path in entries(&self.root.join(WORKSPACES))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some((id, number)) = name.split_once('.') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            let known = latest.entry(id.to_owned()).or_insert((number, path.clone()));
            if known.0 < number {
                *known = (number, path);
            }
        }
        Ok(latest)
    }
}

/// Number of a registration.
fn number(path: &Path) -> Option<u64> {
    path.extension()?.to_str()?.parse().ok()
}

/// Error of garbage collection that does not know all needs.
fn unreadable(path: &Path) -> Error {
    Error::user_error(
        Code::Unreadable,
        format!("cannot read {}, which lists the results to keep; nothing was removed", path.display()),
        "repeat the command; if the file is damaged, remove it, and run the pipeline of its project again",
    )
}

/// Id of a project: random digits that its store keeps, and its path, because a copy of a project has the same digits.
fn workspace_id(own: &Path) -> Result<String> {
    let path = own.join(ID);
    let random = RandomState::new().hash_one(std::process::id());
    match fs::File::create_new(&path) {
        Ok(mut file) => write!(file, "{random:016x}").io_context("cannot write", &path)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).io_context("cannot write", path),
    }
    Ok(id_of(&fs::read_to_string(&path).io_context("cannot read", &path)?, own))
}

fn id_of(random: &str, own: &Path) -> String {
    let text = format!("{random} {}", own.display());
    Digest::from(blake3::hash(text.as_bytes())).to_string()[..16].to_owned()
}
