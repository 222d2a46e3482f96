//! Alignment of `data/out` with the plan: results that are stale leave it before the run changes anything.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callsheet_worker::error::Result;

use super::{Scheduler, Status};
use crate::event::Event;
use crate::plan::Plan;
use crate::run::executor::Executor;
use crate::run::preview::preview;
use crate::store::{LatestResult, Object, hide_all, hide_except};
use crate::trace;

/// Links that `data/out` must have, with the objects to which they lead.
type Links = BTreeMap<PathBuf, Object>;

impl<'a, R: FnMut(&Event), E: Executor<'a>> Scheduler<'a, R, E> {
    /// Removes the links to stale results, and then shows the cached ones that are not shown yet. A run of all stages that
    /// finds its results cached and shown changes nothing.
    pub(super) fn align(&mut self) {
        let unshown = self.unshown.take().unwrap_or_default();
        if self.run.replaces.is_none() || self.is_aligned(&unshown) {
            return;
        }
        // All links are listed, without a trace.
        trace::end();
        let aligned = if self.knows_links() {
            self.hide_stale()
        } else {
            self.cached_links().and_then(|links| self.replace_links(&links))
        };
        if let Err(error) = aligned {
            self.summary.refused = Some(error);
            return;
        }
        for position in unshown {
            if let Status::Done(head) = &self.status[position] {
                self.show(position, &head.clone());
            }
        }
    }

    /// Shows a result in `data/out`.
    pub(super) fn show(&mut self, position: usize, head: &Arc<LatestResult>) {
        let run = self.run;
        // The links when the run started do not matter: a cached result of a stage whose inputs were computed again left
        // `data/out` then.
        if run.replaces.is_none() {
            return;
        }
        let stage = &run.plan.stages[position];
        let mut artifacts = run.views(stage, head);
        // The result is in the store even if it cannot be shown, so the stages that read it still run.
        match artifacts.try_for_each(|(object, link)| run.store.show(object, &link, &run.project.data)) {
            Ok(()) => _ = self.summary.heads.insert(stage.name.clone(), head.clone()),
            Err(error) => self.tell_failure(position, error),
        }
    }

    /// Shows the results of stages that were not selected and that the plan calls cached again, because the results that
    /// they read were computed with equal content.
    pub(super) fn show_unselected(&mut self) -> Result<()> {
        if self.options.whole.is_none() || self.run.replaces.is_none() || self.made.is_empty() {
            return Ok(());
        }
        let links = self.cached_links()?;
        self.replace_links(&links)
    }

    /// Plan before stages were selected.
    fn whole(&self) -> &'a Plan {
        self.options.whole.as_ref().unwrap_or(self.run.plan)
    }

    /// Returns true if every stage of the run is cached and shown, and `data/out` can have no other link.
    fn is_aligned(&self, unshown: &[usize]) -> bool {
        // Then all stages of the plan are among those that ever ran, so no other stage did if the numbers are equal.
        self.options.whole.is_none()
            && unshown.is_empty()
            && self.status.iter().all(|status| matches!(status, Status::Done(_)))
            && self.snapshot.stages().count() == self.run.plan.stages.len()
    }

    /// Returns true if `data/out` has no other links than those of the latest results, and all results of the run are shown
    /// one by one.
    fn knows_links(&self) -> bool {
        self.options.whole.is_none() && self.options.force.is_empty() && self.snapshot.is_settled()
    }

    /// Removes the links of those latest results that are stale or no longer in the plan. In contrast to
    /// [`Self::replace_links`], this reads no other folder, so its cost does not grow with the number of stages.
    fn hide_stale(&self) -> Result<()> {
        let shows = |stage: &&str, status: &Status| matches!(status, Status::Done(head) if self.snapshot.shows(stage, head));
        let names = self.run.plan.stages.iter().map(|stage| stage.name.as_str());
        let shown: HashSet<&str> = names
            .zip(&self.status)
            .filter(|(stage, status)| shows(stage, status))
            .map(|(stage, _)| stage)
            .collect();
        let folder = self.run.plan.request.target.out(&self.run.project.data);
        let stale: Vec<PathBuf> = self
            .snapshot
            .stages()
            .filter(|stage| !shown.contains(stage))
            .map(|stage| folder.join(stage))
            .collect();
        if stale.is_empty() {
            return Ok(());
        }
        let others = self.folders_of_others(&folder);
        stale.iter().filter(|stage| !others.contains(*stage)).try_for_each(|stage| hide_all(stage, &others))
    }

    /// Removes links that are not among `links` or lead elsewhere, and creates those that are missing.
    fn replace_links(&self, links: &Links) -> Result<()> {
        let (project, store, target) = (self.run.project, self.run.store, &self.run.plan.request.target);
        store.remove_earlier_views(&project.data)?;
        let folder = target.out(&project.data);
        let others = self.folders_of_others(&folder);
        hide_except(&folder, &others, &|link| {
            links.get(link).is_some_and(|object| store.is_shown(object, link, &project.data))
        })?;
        links.iter().try_for_each(|(link, object)| {
            if store.is_shown(object, link, &project.data) {
                Ok(())
            } else {
                store.show(object, link, &project.data)
            }
        })
    }

    /// Subfolders of this target's `folder` that belong to other targets.
    fn folders_of_others(&self, folder: &Path) -> BTreeSet<PathBuf> {
        let (project, target) = (self.run.project, &self.run.plan.request.target);
        let mut others = self.run.store.targets_below(target);
        if target.profile.is_empty() {
            let known =
                if target.dataset.is_empty() { project.dataset_names() } else { project.profile_names() };
            others.extend(known);
        }
        others.iter().map(|name| folder.join(name)).collect()
    }

    /// Links to the results that the whole plan calls cached. A stage that the user forces to run, or that was not
    /// selected, can be cached as well.
    fn cached_links(&mut self) -> Result<Links> {
        let (whole, run) = (self.whole(), self.run);
        if self.options.whole.is_none() && self.options.force.is_empty() {
            // Cached results of the run itself are shown one by one, so that a failure names its stage.
            let done = run.plan.stages.iter().zip(&self.status).filter_map(|(stage, status)| match status {
                Status::Done(head) if self.snapshot.shows(&stage.name, head) => Some(run.views(stage, head)),
                _ => None,
            });
            return Ok(done.flatten().map(|(object, link)| (link, object.clone())).collect());
        }
        let folder = run.plan.request.target.out(&run.project.data);
        let previews = preview(run.store, self.sources, self.snapshot, whole)?;
        let mut links = Links::new();
        for (stage, preview) in whole.stages.iter().zip(previews) {
            for (name, object) in preview.objects.iter().flatten() {
                let file = object.shown_as(&stage.decl.outputs[name].path);
                links.insert(folder.join(&stage.name).join(file), object.clone());
            }
        }
        Ok(links)
    }
}
