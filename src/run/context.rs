//! Surroundings that all actions of a run share.

use std::path::PathBuf;
use std::sync::OnceLock;

use callsheet_worker::error::Result;

use super::workplace::Workplace;
use crate::declare::Project;
use crate::plan::{Plan, StageInstance};
use crate::store::{Head, Object, Store, out};

/// Surroundings that all actions of a run share.
pub(super) struct Run<'a> {
    /// The project.
    pub project: &'a Project,
    /// Store of the results.
    pub store: &'a Store,
    /// The plan.
    pub plan: &'a Plan,
    /// The run's name.
    pub id: String,
    pub(super) workplace: OnceLock<Workplace>,
}

impl Run<'_> {
    /// Workplace of its workers; made when the first of them is to start.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(super) fn workplace(&self) -> Result<&Workplace> {
        if let Some(workplace) = self.workplace.get() {
            return Ok(workplace);
        }
        let made = Workplace::new(self.project, self.store, &self.id)?;
        Ok(self.workplace.get_or_init(|| made))
    }

    pub(super) fn begun(&self) -> Option<&Workplace> {
        self.workplace.get()
    }

    /// Each artifact, and the link that shows it.
    pub(super) fn views<'h>(
        &self,
        stage: &StageInstance,
        head: &'h Head,
    ) -> impl Iterator<Item = (&'h Object, PathBuf)> + 'h {
        let request = &self.plan.request;
        let folder = out(&self.project.data, &request.pipeline, &request.dataset).join(&stage.name);
        let shown = head.outputs.values().zip(&head.names);
        shown.map(move |(object, name)| (object, folder.join(name)))
    }
}
