//! Latest action of each stage, looked up while the plan is still being resolved.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use callsheet_worker::digest::Digest;
use rayon::prelude::*;

use crate::plan::StageInstance;
use crate::store::{LatestResult, LatestResults, Store, out};

/// Latest action of each stage, and the stages whose artifacts are intact and shown.
pub struct StoreSnapshot {
    heads: LatestResults,
    fresh: HashSet<String>,
}

impl StoreSnapshot {
    /// Checks every artifact and view of a pipeline over a dataset.
    pub fn new(store: &Store, data: &Path, pipeline: &str, dataset: &str) -> Self {
        let heads = store.heads(pipeline, dataset);
        let out = out(data, pipeline, dataset);
        let whole = |(stage, head): &(&String, &Arc<LatestResult>)| {
            let folder = out.join(stage);
            let shown = |(object, name): (_, &String)| store.is_shown(object, &folder.join(name), data);
            store.whole(&heads, head) && head.outputs.values().zip(&head.names).all(shown)
        };
        let all: Vec<_> = heads.iter().collect();
        let fresh = all.into_par_iter().filter(whole).map(|(stage, _)| stage.clone()).collect();
        Self { heads, fresh }
    }

    /// Returns true if every stage that ever ran for this pipeline and dataset is in `stages`.
    pub fn covers(&self, stages: &BTreeSet<&str>) -> bool {
        self.heads.within(stages)
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

    /// Returns true if `head` equals the latest action of a stage, and its artifacts are intact and shown.
    pub fn shows(&self, stage: &str, head: &LatestResult) -> bool {
        self.fresh.contains(stage) && self.heads.get(stage).is_some_and(|shown| **shown == *head)
    }

    /// Returns the result of the action with this key if it is in the store, intact, and has the outputs that
    /// the stage declares. Previews and runs both use this test to decide if a stage must run.
    pub fn find(&self, store: &Store, stage: &StageInstance, key: &Digest) -> Option<Arc<LatestResult>> {
        let head = self.heads.get(&stage.name).filter(|head| head.key == *key && head.makes(&stage.decl));
        let fresh = head.filter(|_| self.fresh.contains(&stage.name)).cloned();
        fresh.or_else(|| store.hit(key, &stage.decl))
    }
}
