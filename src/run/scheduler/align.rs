//! Alignment of `data/out` with the plan: results that are stale leave it before the run changes anything.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use callsheet_worker::error::Result;

use super::{Scheduler, Status};
use crate::event::Event;
use crate::plan::Plan;
use crate::run::executor::Executor;
use crate::run::preview::preview;
use crate::store::{LatestResult, Object, hide_except};

impl<'a, R: FnMut(&Event), E: Executor<'a>> Scheduler<'a, R, E> {
    /// Removes the links to stale results, and then shows the cached ones that are not shown yet. A run that finds all
    /// its results cached and shown does nothing here.
    pub(super) fn align(&mut self) {
        let unshown = self.unshown.take().unwrap_or_default();
        if !self.run.owns_results {
            return;
        }
        let waits = self.status.iter().any(|status| !matches!(status, Status::Done(_)));
        // Every stage of the plan is shown then, so that others are shown only if there are more.
        let others = self.options.whole.is_none() && self.snapshot.count() > self.run.plan.stages.len();
        if unshown.is_empty() && !waits && !others {
            return;
        }
        if let Err(error) = self.hide_stale() {
            self.summary.refused = Some(error);
            return;
        }
        for position in unshown {
            if let Status::Done(head) = &self.status[position] {
                self.show(position, &head.clone());
            }
        }
    }

    /// Shows a result in `data/out`, unless it is shown already.
    pub(super) fn show(&mut self, position: usize, head: &Arc<LatestResult>) {
        let run = self.run;
        let stage = &run.plan.stages[position];
        if !run.owns_results || self.snapshot.shows(&stage.name, head) {
            return;
        }
        let mut artifacts = run.views(stage, head);
        // The result is in the store even if it cannot be shown, so the stages that read it still run.
        if let Err(error) =
            artifacts.try_for_each(|(object, link)| run.store.show(object, &link, &run.project.data))
        {
            self.tell_failure(position, error);
        }
        self.summary.heads.insert(stage.name.clone(), head.clone());
    }

    /// Shows the results of stages that were not selected and that the plan calls cached again, because the results that
    /// they read were computed with equal content.
    pub(super) fn show_unselected(&mut self) -> Result<()> {
        let (whole, run) = (self.whole(), self.run);
        if self.options.whole.is_none() || !run.owns_results || self.summary.heads.is_empty() {
            return Ok(());
        }
        let selected: BTreeSet<&str> = run.plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        let previews = preview(run.store, self.sources, self.snapshot, whole)?;
        for (stage, preview) in whole.stages.iter().zip(previews) {
            let folder = run.plan.request.target.out(&run.project.data).join(&stage.name);
            for (name, object) in
                preview.objects.iter().flatten().filter(|_| !selected.contains(&*stage.name))
            {
                let link = folder.join(object.shown_as(&stage.decl.outputs[name].path));
                run.store.show(object, &link, &run.project.data)?;
            }
        }
        Ok(())
    }

    /// Plan before stages were selected.
    fn whole(&self) -> &'a Plan {
        self.options.whole.as_ref().unwrap_or(self.run.plan)
    }

    fn hide_stale(&mut self) -> Result<()> {
        let shown = self.cached_links()?;
        let (project, target) = (self.run.project, &self.run.plan.request.target);
        self.run.store.remove_earlier_views(&project.data)?;
        let folder = target.out(&project.data);
        let others: &[Vec<String>] = match (target.dataset.is_empty(), target.profile.is_empty()) {
            (_, false) => &[],
            (false, true) => &[project.profile_names()],
            (true, true) => &[project.dataset_names(), vec!["_".to_owned()]],
        };
        let others = others.iter().flatten().map(|name| folder.join(name)).collect();
        hide_except(&folder, &others, &shown)
    }

    /// Links to the results that the whole plan calls cached. A stage that the user forces to run, or that was not
    /// selected, can be cached as well.
    fn cached_links(&mut self) -> Result<BTreeSet<PathBuf>> {
        let (whole, run) = (self.whole(), self.run);
        let folder = run.plan.request.target.out(&run.project.data);
        if self.options.whole.is_none() && self.options.force.is_empty() {
            let done = run.plan.stages.iter().zip(&self.status).filter_map(|(stage, status)| match status {
                Status::Done(head) => Some(run.views(stage, head)),
                _ => None,
            });
            return Ok(done.flatten().map(|(_, link)| link).collect());
        }
        let previews = preview(run.store, self.sources, self.snapshot, whole)?;
        let mut links = BTreeSet::new();
        for (stage, preview) in whole.stages.iter().zip(previews) {
            let file = |(name, object): (&String, &Object)| {
                folder.join(&stage.name).join(object.shown_as(&stage.decl.outputs[name].path))
            };
            links.extend(preview.objects.iter().flatten().map(file));
        }
        Ok(links)
    }
}
