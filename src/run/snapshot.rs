//! Latest action of each stage, looked up while the plan is still being resolved.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use callsheet_worker::digest::Digest;
use litemap::LiteMap;
use rayon::prelude::*;

use super::changed_inputs::{InputContent, change};
use crate::declare::{ArtifactKind, StageDecl};
use crate::key::ActionKey;
use crate::plan::StageInstance;
use crate::reason::differences_named;
use crate::store::{LatestResult, LatestResults, Object, Store};
use crate::target::Target;

/// Reason of a stage without a latest action.
pub(super) const NEVER: &str = "never ran";
/// Reason of a stage whose latest result was removed.
pub(super) const LOST: &str = "the result is not in the store any more";

/// Latest action of each stage, and the stages whose artifacts are intact and shown.
pub struct StoreSnapshot {
    heads: LatestResults,
    /// Key of each stage in the latest run with `--set` options that has a result of it; read when first needed.
    of_set: OnceLock<BTreeMap<String, Digest>>,
    fresh: HashSet<String>,
}

impl StoreSnapshot {
    /// Checks every artifact and view of a target. Artifacts whose times do not show that they are
    /// intact, for example in a copy of a project, are hashed; `hashed` is then called with the number of bytes that
    /// are done and the total.
    pub fn new(store: &Store, data: &Path, target: &Target, hashed: impl Fn(u64, u64) + Sync) -> Self {
        let heads = store.latest(target);
        let out = target.out(data);
        let shown = |stage: &str, head: &LatestResult| {
            let folder = out.join(stage);
            head.shown_names().all(|(object, name)| store.is_shown(object, &folder.join(name), data))
        };
        let look = |(stage, head): (&String, &Arc<LatestResult>)| {
            let unsealed = store.unsealed(head.outputs.values())?;
            (store.is_recorded(&heads, head) && shown(stage, head)).then(|| (stage.clone(), unsealed))
        };
        let all: Vec<_> = heads.iter().collect();
        let found: Vec<(String, Vec<Object>)> = all.into_par_iter().filter_map(look).collect();
        let total = found.iter().flat_map(|(_, objects)| objects).map(|object| object.size).sum();
        let done = AtomicU64::new(0);
        let tick = |bytes| hashed(done.fetch_add(bytes, Relaxed) + bytes, total);
        let intact = |(stage, objects): (String, Vec<Object>)| {
            objects.iter().all(|object| store.renew(object, &tick)).then_some(stage)
        };
        let fresh = found.into_par_iter().filter_map(intact).collect();
        Self { heads, of_set: OnceLock::new(), fresh }
    }

    /// Returns the latest actions as they were read.
    pub(super) fn latest(&self) -> &LatestResults {
        &self.heads
    }

    /// Path of the project whose runs wrote the latest results; empty if it is not known.
    pub fn project(&self) -> &str {
        self.heads.project()
    }

    /// Returns true if every stage that ever ran for this target is in `stages`.
    pub fn covers(&self, stages: &BTreeSet<&str>) -> bool {
        self.heads.within(stages)
    }

    /// Names of the stages that ever ran for this target.
    pub fn stages(&self) -> impl Iterator<Item = &str> {
        self.heads.iter().map(|(stage, _)| stage.as_str())
    }

    /// Returns true if the latest run of this target was complete, and no action was recorded after it.
    pub fn is_settled(&self) -> bool {
        self.heads.is_settled()
    }

    /// Returns the latest action of a stage, even if its result is damaged or not in the store any more.
    pub fn last(&self, stage: &str) -> Option<&Arc<LatestResult>> {
        self.heads.get(stage)
    }

    /// Returns the seconds that a stage's latest action on CPUs of this machine's kind took.
    pub fn seconds_here(&self, stage: &str) -> Option<f64> {
        self.heads.seconds_here(stage)
    }

    /// Returns [`Self::seconds_here`] or, if the stage never ran on such CPUs, the seconds of its latest
    /// action. The value is accurate enough to choose an order.
    pub fn seconds_somewhere(&self, stage: &str) -> Option<f64> {
        self.seconds_here(stage).or_else(|| Some(self.last(stage)?.seconds))
    }

    /// Key of a stage that ran only with `--set` options, as of the latest such run of the target.
    fn earlier(&self, store: &Store, stage: &StageInstance) -> Option<Digest> {
        let keys = self.of_set.get_or_init(|| {
            let mut keys = BTreeMap::new();
            for run in store.runs().into_iter().filter(|run| run.target == *self.heads.target()) {
                for (stage, result) in run.stages {
                    if let Some(key) = result.key {
                        keys.entry(stage).or_insert(key);
                    }
                }
            }
            keys
        });
        keys.get(&stage.name).copied()
    }

    /// Returns the seconds of work for each row of a row-wise stage, in its latest result.
    pub(super) fn row_seconds(&self, store: &Store, stage: &str) -> Option<f64> {
        store.record(&self.last(stage)?.key)?.provenance.row_seconds
    }

    /// Returns true if `head` equals the latest action of a stage, and its artifacts are intact and shown.
    pub fn shows(&self, stage: &str, head: &LatestResult) -> bool {
        self.fresh.contains(stage) && self.heads.get(stage).is_some_and(|shown| **shown == *head)
    }

    /// Returns the reasons why a stage must run although it ran before, e.g. `margin: 0.1 → 0.2`; old values come
    /// first. `contents` returns the present content of the inputs.
    pub(super) fn reasons(
        &self,
        store: &Store,
        stage: &StageInstance,
        key: &ActionKey,
        contents: impl FnOnce() -> BTreeMap<String, InputContent>,
    ) -> Vec<String> {
        let Some(key_of_last) =
            self.last(&stage.name).map(|head| head.key).or_else(|| self.earlier(store, stage))
        else {
            return vec![NEVER.into()];
        };
        let Some(record) = store.record(&key_of_last) else { return vec![LOST.into()] };
        let contents = if record.key.inputs == key.inputs { BTreeMap::new() } else { contents() };
        let change_of = |name: &str| change(name, &contents, &record.provenance);
        let mut reasons = differences_named(&record.key, key, change_of);
        if reasons.is_empty() {
            reasons = changed_outputs(&record.outputs, &stage.decl);
        }
        if reasons.is_empty() {
            let path = |object: &Object| store.materialize(object);
            let changed =
                record.outputs.iter().filter(|(_, object)| path(object).exists() && !store.intact(object));
            reasons = changed.map(|(name, _)| format!("output {name} was changed in the store")).collect();
        }
        if reasons.is_empty() { vec![LOST.into()] } else { reasons }
    }

    /// Returns the result of the action with this key if it is in the store, intact, and has the outputs that
    /// the stage declares. Previews and runs both use this test to decide if a stage must run.
    pub fn find(&self, store: &Store, stage: &StageInstance, key: &Digest) -> Option<Arc<LatestResult>> {
        let head = self.heads.get(&stage.name).filter(|head| head.key == *key && head.makes(&stage.decl));
        let fresh = head.filter(|_| self.fresh.contains(&stage.name)).cloned();
        fresh.or_else(|| store.hit(key, &stage.decl))
    }
}

/// Differences between the outputs of a result and those that its stage declares now.
pub(super) fn changed_outputs(made: &LiteMap<String, Object>, decl: &StageDecl) -> Vec<String> {
    let made: BTreeMap<&str, ArtifactKind> =
        made.iter().map(|(name, object)| (&**name, object.kind)).collect();
    let declared: BTreeMap<&str, ArtifactKind> =
        decl.outputs.iter().map(|(name, output)| (&**name, output.kind)).collect();
    let names: BTreeSet<&str> = made.keys().chain(declared.keys()).copied().collect();
    let difference = |name: &str| match (made.get(name), declared.get(name)) {
        (Some(made), Some(declared)) if made == declared => None,
        (Some(_), Some(_)) => Some(format!("output {name}: another kind")),
        (Some(_), None) => Some(format!("output {name}: removed")),
        _ => Some(format!("output {name}: new")),
    };
    names.into_iter().filter_map(difference).collect()
}
