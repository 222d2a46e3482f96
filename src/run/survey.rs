//! Results of the latest run, looked up while the plan is still being resolved.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use callsheet_worker::digest::Digest;
use rayon::prelude::*;

use crate::plan::StageInstance;
use crate::store::{Head, Heads, Store, out};

/// The latest action of each stage, and which of them are as they should be.
pub struct Survey {
    heads: Heads,
    fresh: HashSet<String>,
}

impl Survey {
    /// Looks at every artifact and view of a pipeline over a dataset.
    pub fn new(store: &Store, data: &Path, pipeline: &str, dataset: &str) -> Self {
        let heads = store.heads(pipeline, dataset);
        let out = out(data, pipeline, dataset);
        let whole = |(stage, head): &(&String, &Arc<Head>)| {
            let folder = out.join(stage);
            let shown = |(object, name): (_, &String)| store.is_shown(object, &folder.join(name), data);
            store.whole(&heads, head) && head.outputs.values().zip(&head.names).all(shown)
        };
        let all: Vec<_> = heads.iter().collect();
        let fresh = all.into_par_iter().filter(whole).map(|(stage, _)| stage.clone()).collect();
        Self { heads, fresh }
    }

    /// Returns true if every stage that ever ran for this pipeline and dataset is among these.
    pub fn covers(&self, stages: &BTreeSet<&str>) -> bool {
        self.heads.within(stages)
    }

    /// The latest action of a stage, whatever became of it.
    pub fn last(&self, stage: &str) -> Option<&Arc<Head>> {
        self.heads.get(stage)
    }

    /// Seconds that a stage took when it last ran on CPUs of the kind that this machine has.
    pub fn seconds_here(&self, stage: &str) -> Option<f64> {
        self.heads.seconds_here(stage)
    }

    /// Seconds that a stage took last on such CPUs or, if it never ran there, on others: enough to choose an order.
    pub fn seconds_somewhere(&self, stage: &str) -> Option<f64> {
        self.seconds_here(stage).or_else(|| Some(self.last(stage)?.seconds))
    }

    /// Returns true if this is the latest action of a stage, with equal content, and its artifacts are shown.
    pub fn shows(&self, stage: &str, head: &Head) -> bool {
        self.fresh.contains(stage) && self.heads.get(stage).is_some_and(|shown| **shown == *head)
    }

    /// The result of the action with this key, if it is in the store, whole, and what the stage
    /// declares: all that decides whether a stage runs, for plans as for runs.
    pub fn find(&self, store: &Store, stage: &StageInstance, key: &Digest) -> Option<Arc<Head>> {
        let head = self.heads.get(&stage.name).filter(|head| head.key == *key && head.makes(&stage.decl));
        let fresh = head.filter(|_| self.fresh.contains(&stage.name)).cloned();
        fresh.or_else(|| store.hit(key, &stage.decl))
    }
}
