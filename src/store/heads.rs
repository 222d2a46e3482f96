//! The latest action of each stage of a pipeline over a dataset, with what it made: one file, so
//! that a run with nothing to do reads one file. The records are the truth; this can be deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::cpu::{UNKNOWN, cpu_number, own_cpu_number};
use super::lock::LockName;
use super::object::Object;
use super::provenance::Provenance;
use super::root::{Store, read_json};
use crate::declare::StageDecl;

/// A stage's latest action.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Head {
    /// Its key.
    pub key: Digest,
    /// Its outputs.
    pub outputs: LiteMap<String, Object>,
    /// The outputs' declared names, in their order.
    pub names: Vec<String>,
    /// Seconds it took.
    pub seconds: f64,
    /// The number of the kind of CPU that it took them on.
    #[serde(default)]
    cpu: u32,
}

impl Head {
    /// What an action made, under the names that its stage declares now; nothing if the stage
    /// declares other outputs.
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
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Heads {
    stages: BTreeMap<String, Arc<Head>>,
    /// Seconds that earlier actions took on other kinds of CPUs, by number and stage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    elsewhere: BTreeMap<u32, BTreeMap<String, f64>>,
    /// Modification time of the folder of records when this was written.
    records: Option<(i64, i64)>,
    /// No record was added or removed since.
    #[serde(skip)]
    settled: bool,
}

impl Heads {
    /// The latest action of a stage.
    pub fn get(&self, stage: &str) -> Option<&Arc<Head>> {
        self.stages.get(stage)
    }

    /// Seconds that a stage took when it last ran on CPUs of the kind that this machine has, or on CPUs whose kind
    /// was not kept.
    pub fn seconds_here(&self, stage: &str) -> Option<f64> {
        let cpu = own_cpu_number();
        match self.get(stage) {
            Some(head) if head.cpu == cpu || head.cpu == UNKNOWN => Some(head.seconds),
            _ => self.elsewhere.get(&cpu)?.get(stage).copied(),
        }
    }

    /// Makes an action the latest of a stage, and remembers the time of the previous one if its CPUs were of another kind.
    fn replace(&mut self, stage: &str, head: &Arc<Head>) {
        if let Some(before) = self.stages.insert(stage.to_owned(), head.clone())
            && before.cpu != head.cpu
            && before.cpu != UNKNOWN
        {
            self.elsewhere.entry(before.cpu).or_default().insert(stage.to_owned(), before.seconds);
        }
    }

    /// Returns true if all stages are among these.
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

    /// All of them, by stage.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Arc<Head>)> {
        self.stages.iter()
    }
}

impl Store {
    /// The latest actions of a pipeline over a dataset.
    pub fn heads(&self, pipeline: &str, dataset: &str) -> Heads {
        let mut heads: Heads = read_json(&self.heads_path(pipeline, dataset)).unwrap_or_default();
        heads.settled = heads.records.is_some() && heads.records == self.records_time();
        heads
    }

    /// Adds new latest actions to those that another run may have written meanwhile. After a
    /// run that was `complete`, no stage's record needs a look before the folder of records changes.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn update_heads(
        &self,
        pipeline: &str,
        dataset: &str,
        new: &BTreeMap<String, Arc<Head>>,
        complete: bool,
    ) -> Result<()> {
        let _lock = self.lock(&LockName::Heads, "", |_| true)?;
        let mut heads = self.heads(pipeline, dataset);
        new.iter().for_each(|(stage, head)| heads.replace(stage, head));
        heads.records = if complete { self.records_time() } else { None };
        self.workspace.write_json(&self.heads_path(pipeline, dataset), &heads)
    }

    /// Returns true if a latest action agrees with its record, and its objects look untouched.
    pub fn whole(&self, heads: &Heads, head: &Head) -> bool {
        let recorded = || self.record(&head.key).is_some_and(|record| record.outputs == head.outputs);
        (heads.settled || recorded()) && head.outputs.values().all(|object| self.intact(object))
    }

    fn records_time(&self) -> Option<(i64, i64)> {
        let found = fs::metadata(self.shared.path("actions")).ok()?;
        Some((found.mtime(), found.mtime_nsec()))
    }

    fn heads_path(&self, pipeline: &str, dataset: &str) -> PathBuf {
        let name = if dataset.is_empty() { pipeline.to_owned() } else { format!("{pipeline}/{dataset}") };
        self.workspace.path("heads").join(name + ".json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cpu_kind;

    fn head(seconds: f64, cpu: &str) -> Arc<Head> {
        let (key, cpu) = (blake3::hash(b"").into(), cpu_number(cpu));
        Arc::new(Head { key, outputs: LiteMap::new(), names: Vec::new(), seconds, cpu })
    }

    #[test]
    fn what_a_stage_took_is_remembered_for_each_kind_of_cpu() {
        let mut heads = Heads::default();
        heads.replace("train", &head(10.0, cpu_kind()));
        heads.replace("train", &head(90.0, "another"));
        assert_eq!(heads.seconds_here("train"), Some(10.0));
        assert_eq!(heads.get("train").expect("the latest").seconds, 90.0);
        heads.replace("train", &head(12.0, cpu_kind()));
        heads.replace("train", &head(80.0, "a third"));
        assert_eq!(heads.seconds_here("train"), Some(12.0));
        heads.replace("other", &head(80.0, "another"));
        assert_eq!(heads.seconds_here("other"), None, "it never ran on such a CPU");
        heads.replace("old", &head(5.0, ""));
        assert_eq!(heads.seconds_here("old"), Some(5.0), "the record is older than the names of CPUs");
    }
}
