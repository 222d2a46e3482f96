//! Latest action of each stage of a target, with its outputs. They are in one file, so that
//! a run with nothing to do reads only that file. The records are authoritative; the file can be deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::cpu::{UNKNOWN, cpu_number, own_cpu_number};
use super::files::{files, remove};
use super::half::read_json;
use super::lock::LockName;
use super::object::Object;
use super::provenance::Provenance;
use super::root::Store;
use super::stamp::Stamp;
use super::view::hide;
use crate::declare::StageDecl;
use crate::target::Target;
use crate::trace;

/// Folder of the files of latest actions.
pub(super) const LATEST: &str = "latest";

/// Folder in which earlier versions kept latest actions, without profiles.
const EARLIER: &str = "heads";

/// Latest action of a stage.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct LatestResult {
    /// Key of the action.
    pub key: Digest,
    /// Outputs of the action, by name.
    pub outputs: LiteMap<String, Object>,
    /// Declared paths of the outputs, in the order of `outputs`.
    pub names: Vec<String>,
    /// Seconds that the action took.
    pub seconds: f64,
    /// Number of the kind of CPU on which the action ran.
    #[serde(default)]
    cpu: u32,
}

impl LatestResult {
    /// Outputs of an action, under the names that its stage declares now; `None` if the stage declares other
    /// outputs.
    pub fn new(
        key: Digest,
        outputs: LiteMap<String, Object>,
        provenance: &Provenance,
        decl: &StageDecl,
    ) -> Option<Self> {
        let names = decl.outputs.values().map(|output| output.path.clone()).collect();
        let (seconds, cpu) = (provenance.seconds, cpu_number(&provenance.cpu));
        let head = Self { key, outputs, names, seconds, cpu };
        head.makes(decl).then_some(head)
    }

    /// Each output with the name under which it is shown.
    pub fn shown_names(&self) -> impl Iterator<Item = (&Object, &str)> {
        self.outputs.values().zip(&self.names).map(|(object, path)| (object, object.shown_as(path)))
    }

    /// Returns true if a stage declares exactly these outputs.
    pub fn makes(&self, decl: &StageDecl) -> bool {
        let made = self.outputs.iter().zip(&self.names);
        self.outputs.len() == decl.outputs.len()
            && made.zip(&decl.outputs).all(|(((name, object), path), (declared, output))| {
                name == declared && *path == output.path && object.kind == output.kind
            })
    }
}

/// Latest actions by stage instance.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct LatestResults {
    /// Pipeline, dataset and profile.
    #[serde(default)]
    target: Target,
    /// Path of the project whose runs wrote these results; empty if it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    project: String,
    stages: BTreeMap<String, Arc<LatestResult>>,
    /// Seconds that earlier actions took on other kinds of CPUs, by number of the kind and by stage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    elsewhere: BTreeMap<u32, BTreeMap<String, f64>>,
    /// Modification time of the folder of records when this file was written.
    records: Option<(i64, i64)>,
    /// True if no record was added or removed since then.
    #[serde(skip)]
    settled: bool,
    /// Stamp of the file when it was read.
    #[serde(skip)]
    stamp: Option<Stamp>,
}

impl LatestResults {
    /// Latest action of a stage.
    pub fn get(&self, stage: &str) -> Option<&Arc<LatestResult>> {
        self.stages.get(stage)
    }

    /// Pipeline, dataset and profile.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Path of the project whose runs wrote these results; empty if it is not known.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Seconds that a stage took when it last ran on CPUs of this machine's kind, or on CPUs of unknown kind.
    pub fn seconds_here(&self, stage: &str) -> Option<f64> {
        let cpu = own_cpu_number();
        match self.get(stage) {
            Some(head) if head.cpu == cpu || head.cpu == UNKNOWN => Some(head.seconds),
            _ => self.elsewhere.get(&cpu)?.get(stage).copied(),
        }
    }

    /// Sets the latest action of a stage. Keeps the duration of the previous action if it ran on another kind
    /// of CPU.
    fn replace(&mut self, stage: &str, head: &Arc<LatestResult>) {
        if let Some(before) = self.stages.insert(stage.to_owned(), head.clone())
            && before.cpu != head.cpu
            && before.cpu != UNKNOWN
        {
            self.elsewhere.entry(before.cpu).or_default().insert(stage.to_owned(), before.seconds);
        }
    }

    /// Returns true if the latest run of the target was complete, and no record was added or removed after it.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Returns true if every stage with a latest action is in `stages`.
    pub fn within(&self, stages: &BTreeSet<&str>) -> bool {
        self.stages.keys().all(|stage| stages.contains(stage.as_str()))
    }

    /// Forgets the latest action of a stage.
    pub(super) fn remove(&mut self, stage: &str) {
        self.stages.remove(stage);
        for times in self.elsewhere.values_mut() {
            times.remove(stage);
        }
    }

    /// All latest actions, by stage.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Arc<LatestResult>)> {
        self.stages.iter()
    }
}

impl Store {
    /// Latest actions of a target.
    pub fn latest(&self, target: &Target) -> LatestResults {
        let empty = || LatestResults { target: target.clone(), ..LatestResults::default() };
        let path = self.latest_path(target);
        // A file that is replaced between the two calls has another stamp later, and is read again.
        let stamp = Stamp::read(&path);
        let mut heads: LatestResults = read_json(&path).unwrap_or_else(empty);
        heads.settled = heads.records.is_some() && heads.records == self.records_time();
        heads.stamp = stamp;
        heads
    }

    /// Returns `known`, or what another run has written since it was read. A large file takes long to read.
    fn latest_since(&self, known: &LatestResults) -> LatestResults {
        let stamp = Stamp::read(&self.latest_path(&known.target));
        if stamp.is_some() && stamp == known.stamp { known.clone() } else { self.latest(&known.target) }
    }

    /// Adds new latest actions of the project at `project` to the `known` ones and those that another run has written in
    /// the meantime. After a `complete` run, records need not be checked until the folder of records changes.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn update_latest(
        &self,
        project: &Path,
        known: &LatestResults,
        new: &BTreeMap<String, Arc<LatestResult>>,
        complete: bool,
    ) -> Result<()> {
        let _lock = self.lock(&LockName::LatestResults, "", |_| true)?;
        let mut heads = self.latest_since(known);
        heads.project = project.to_string_lossy().into_owned();
        new.iter().for_each(|(stage, head)| heads.replace(stage, head));
        heads.records = if complete { self.records_time() } else { None };
        self.workspace.write_json(&self.latest_path(&heads.target), &heads)
    }

    /// Names of the subfolders of a target's folder in `data/out` that belong to other targets, also of other projects with
    /// this data folder.
    pub fn targets_below(&self, target: &Target) -> BTreeSet<String> {
        let folder = self.workspace.path(LATEST).join(target.folder());
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.strip_suffix(".json").map_or_else(|| name.clone(), str::to_owned)
        };
        entries.map(name).collect()
    }

    /// Removes the latest results that earlier versions kept for all profiles of a dataset together, and their links in the
    /// folder `data`. Their records stay.
    ///
    /// # Errors
    /// Returns an error if a file or a link cannot be removed.
    pub fn remove_earlier_views(&self, data: &Path) -> Result<()> {
        let folder = self.workspace.path(EARLIER);
        for path in files(&folder)? {
            let heads = read_json::<LatestResults>(&path).unwrap_or_default();
            let target = path.strip_prefix(&folder).unwrap_or(&path).with_extension("");
            for (stage, head) in heads.iter() {
                let shown = data.join("out").join(&target).join(stage);
                head.names
                    .iter()
                    .map(|name| shown.join(name))
                    .try_for_each(|link| hide(&link).map(|_| ()))?;
                // This removes only an empty folder.
                let _ = fs::remove_dir(shown);
            }
        }
        remove(&folder)
    }

    /// Records the project at `project` as the owner of the latest results, of which `known` are those that were read
    /// before, unless `check` refuses the present owner.
    ///
    /// # Errors
    /// Returns the error of `check`, or an error if the store cannot be written.
    pub fn claim_target(
        &self,
        project: &Path,
        known: &LatestResults,
        check: impl Fn(&str) -> Result<()>,
    ) -> Result<()> {
        let _lock = self.lock(&LockName::LatestResults, "", |_| true)?;
        let mut heads = self.latest_since(known);
        check(&heads.project)?;
        let own = project.to_string_lossy();
        if heads.project == own {
            return Ok(());
        }
        heads.project = own.into_owned();
        self.workspace.write_json(&self.latest_path(&heads.target), &heads)
    }

    /// Returns true if a latest action agrees with its record.
    pub fn is_recorded(&self, heads: &LatestResults, head: &LatestResult) -> bool {
        heads.is_settled() || self.record(&head.key).is_some_and(|record| record.outputs == head.outputs)
    }

    fn records_time(&self) -> Option<(i64, i64)> {
        // Others add records to a shared store at any time; only removals matter.
        let folder = if self.sharing.is_some() { "removals" } else { "actions" };
        let found = trace::metadata(&self.shared.path(folder)).ok()?;
        Some((found.mtime(), found.mtime_nsec()))
    }

    fn latest_path(&self, target: &Target) -> PathBuf {
        self.workspace.path_of_target(LATEST, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cpu_kind;

    fn head(seconds: f64, cpu: &str) -> Arc<LatestResult> {
        let (key, cpu) = (blake3::hash(b"").into(), cpu_number(cpu));
        Arc::new(LatestResult { key, outputs: LiteMap::new(), names: Vec::new(), seconds, cpu })
    }

    #[test]
    fn durations_of_a_stage_are_remembered_for_each_kind_of_cpu() {
        let mut heads = LatestResults::default();
        heads.replace("train", &head(10.0, cpu_kind()));
        heads.replace("train", &head(90.0, "another"));
        assert_eq!(heads.seconds_here("train"), Some(10.0));
        assert_eq!(heads.get("train").expect("the latest").seconds, 90.0);
        heads.replace("train", &head(12.0, cpu_kind()));
        heads.replace("train", &head(80.0, "a third"));
        assert_eq!(heads.seconds_here("train"), Some(12.0));
        heads.replace("other", &head(80.0, "another"));
        assert_eq!(heads.seconds_here("other"), None, "the stage never ran on such a CPU");
        heads.replace("old", &head(5.0, ""));
        assert_eq!(heads.seconds_here("old"), Some(5.0), "the action ran before kinds of CPUs were recorded");
    }
}
