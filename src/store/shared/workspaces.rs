//! Projects that use a shared store, and what they need. A registration is written again under the next number, so that it
//! is found by listing the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use serde::{Deserialize, Serialize};

use super::process::Holder;
use super::sharing::Sharing;
use crate::store::half::read_json;
use crate::store::inventory::Inventory;
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
    /// Registers with the shared store, if there is one, what the project needs now: garbage collection of the shared store
    /// keeps it. Does nothing if nothing has `changed`, unless the last registration is older than a day.
    ///
    /// # Errors
    /// Returns an error if a store cannot be read or written.
    pub fn register(&self, changed: bool) -> Result<()> {
        let own = self.workspace.path("");
        let Some(sharing) = self.sharing.as_ref().filter(|sharing| changed || sharing.must_register(&own))
        else {
            return Ok(());
        };
        self.create()?;
        let mut needs = Inventory::default();
        self.list_needs(&BTreeSet::new(), &mut needs)?;
        sharing.register(&own, needs.needed, needs.shown)?;
        sharing.withdraw();
        Ok(())
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
        let known = self.registrations();
        let last = known.get(&id).map_or(0, |(number, _)| *number);
        let path = folder.join(format!("{id}.{}", last + 1));
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let text = serde_json::to_vec(&workspace).expect("plain data");
        let written = fs::File::create(&draft).and_then(|mut file| file.write_all(&text));
        written.and_then(|()| fs::rename(&draft, &path)).io_context("cannot write", &path)?;
        for number in 0..=last {
            let _ = fs::remove_file(folder.join(format!("{id}.{number}")));
        }
        Ok(())
    }

    /// Removes the registration of the project with its store at `own`.
    ///
    /// # Errors
    /// Returns an error if it cannot be removed.
    pub(super) fn forget(&self, own: &Path) -> Result<()> {
        let Ok(random) = fs::read_to_string(own.join(ID)) else { return Ok(()) };
        match self.registrations().get(&id_of(&random, own)) {
            Some((_, path)) => fs::remove_file(path).io_context("cannot remove", path),
            None => Ok(()),
        }
    }

    /// Returns true if the project with its store at `own` was not registered within a day.
    pub(in crate::store) fn must_register(&self, own: &Path) -> bool {
        let Ok(id) = fs::read_to_string(own.join(ID)) else { return true };
        let registrations = self.registrations();
        let found = registrations
            .get(&id_of(&id, own))
            .and_then(|(_, path)| fs::metadata(path).ok()?.modified().ok());
        found.is_none_or(|time| time.elapsed().is_ok_and(|age| age > RENEWED))
    }

    /// Projects that use this store, and those that were not seen for so long that they are forgotten. `now` is a time of
    /// the store's file system.
    pub(super) fn workspaces(&self, now: SystemTime) -> (Vec<Registered>, Vec<Registered>) {
        let found =
            self.registrations().into_values().filter_map(|(_, path)| Some((read_json(&path)?, path)));
        let forget = self.settings.forget();
        found.map(|(workspace, path)| (path, workspace)).partition(|(path, _)| {
            let seen = fs::metadata(path).and_then(|found| found.modified());
            seen.is_ok_and(|seen| now.duration_since(seen).unwrap_or_default() <= forget)
        })
    }

    /// Latest registration of each project, by its id.
    fn registrations(&self) -> BTreeMap<String, (u64, PathBuf)> {
        let mut latest = BTreeMap::new();
        for entry in fs::read_dir(self.root.join(WORKSPACES)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((id, number)) = name.split_once('.') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            let known = latest.entry(id.to_owned()).or_insert((number, entry.path()));
            if known.0 < number {
                *known = (number, entry.path());
            }
        }
        latest
    }
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
