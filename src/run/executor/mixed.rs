//! Executors of a run: this machine, and the clusters that its stages name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callsheet_worker::error::Result;

use super::cluster::Cluster;
use super::local::Local;
use super::{ActionId, Executor, News, ReadyQueue, Stop, Update};
use crate::declare::{LOCAL, ResourcesDecl};

/// Performs actions on this machine and on clusters.
pub(in crate::run) struct Mixed<'s, 'a> {
    local: Local<'s, 'a>,
    clusters: BTreeMap<String, Cluster<'a>>,
    /// Executor of `run --on`.
    default: Option<String>,
    /// Cluster of each action that one has taken.
    taken: BTreeMap<ActionId, String>,
}

/// Name of the cluster on which a stage with these resources runs; `None` for this machine.
pub(in crate::run) fn cluster_of<'r>(
    resources: &'r ResourcesDecl,
    default: Option<&'r str>,
) -> Option<&'r str> {
    if resources.light {
        return None;
    }
    resources.executor.as_deref().or(default).filter(|name| *name != LOCAL)
}

impl<'s, 'a> Mixed<'s, 'a> {
    pub(in crate::run) fn new(
        local: Local<'s, 'a>,
        clusters: BTreeMap<String, Cluster<'a>>,
        default: Option<String>,
    ) -> Self {
        Self { local, clusters, default, taken: BTreeMap::new() }
    }

    fn cluster(&mut self, resources: &ResourcesDecl) -> Option<(&str, &mut Cluster<'a>)> {
        let name = cluster_of(resources, self.default.as_deref())?;
        let (name, cluster) = self.clusters.iter_mut().find(|(known, _)| *known == name)?;
        Some((name, cluster))
    }
}

impl<'a> Executor<'a> for Mixed<'_, 'a> {
    fn class(&self, stage: &str, wanted: &ResourcesDecl) -> Result<()> {
        match cluster_of(wanted, self.default.as_deref()).and_then(|name| self.clusters.get(name)) {
            Some(cluster) => cluster.check(stage, wanted),
            None => self.local.class(stage, wanted),
        }
    }

    fn offer(&mut self, ready: &mut ReadyQueue<'_, 'a>) -> Result<()> {
        self.local.begin()?;
        let mut kept = BTreeSet::new();
        for (at, wanted) in ready.waiting() {
            let Some((name, cluster)) = self.cluster(wanted) else { continue };
            if cluster.room() == 0 {
                kept.insert(at);
                continue;
            }
            let name = name.to_owned();
            let share = cluster.share("", wanted)?;
            if let Some(action) = ready.take(at, share) {
                cluster.take(at.1, action);
                self.taken.insert(at.1, name);
            }
        }
        ready.hide(kept);
        self.local.offer(ready)
    }

    fn next(&mut self, timeout: Option<Duration>) -> Option<News> {
        let news = self.local.next(timeout);
        if let Some(News::Update(id, Update::Ended(_))) = &news
            && let Some(cluster) = self.taken.remove(id).and_then(|name| self.clusters.get_mut(&name))
        {
            cluster.ended(*id);
        }
        news
    }

    fn release(&mut self, action: ActionId) {
        self.local.release(action);
    }

    fn stop(&mut self, how: Stop) {
        self.clusters.values().for_each(|cluster| cluster.stop(how));
        self.local.stop(how);
    }
}
