//! Queue of the actions that could start now.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_worker::error::{Error, Result};

use super::share::Share;
use super::update::ActionId;
use crate::declare::ResourcesDecl;
use crate::key::ActionKey;
use crate::plan::StageInstance;
use crate::run::action::Action;
use crate::run::priority::Priority;
use crate::store::Watch;

/// An action whose inputs are all available and whose result is not.
pub(in crate::run) struct Ready {
    /// Its key.
    pub key: ActionKey,
    /// State of raw files and scripts before the key was computed.
    pub watch: Watch,
}

/// Function that prepares an action with its inputs, for a share of the machine.
type Make<'q, 'a> = &'q mut dyn FnMut(ActionId, Ready, Share) -> Result<Action<'a>>;

/// Ready actions, the most urgent first. An action is prepared only when an executor takes it, because a plan
/// may have thousands of actions.
pub(in crate::run) struct ReadyQueue<'q, 'a> {
    stages: &'a [StageInstance],
    waiting: &'q mut BTreeMap<(Priority, ActionId), Ready>,
    make: Make<'q, 'a>,
    /// Actions that wait for another executor.
    hidden: BTreeSet<(Priority, ActionId)>,
    /// Actions whose inputs cannot be read.
    pub failed: Vec<(ActionId, Error)>,
}

impl<'q, 'a> ReadyQueue<'q, 'a> {
    /// Returns a queue of the `waiting` actions.
    pub(in crate::run) fn new(
        stages: &'a [StageInstance],
        waiting: &'q mut BTreeMap<(Priority, ActionId), Ready>,
        make: Make<'q, 'a>,
    ) -> Self {
        Self { stages, waiting, make, hidden: BTreeSet::new(), failed: Vec::new() }
    }

    /// Returns the waiting actions with the resources that they need, the most urgent first.
    pub(in crate::run) fn waiting(&self) -> Vec<((Priority, ActionId), &'a ResourcesDecl)> {
        let waiting = self.waiting.keys().filter(|at| !self.hidden.contains(*at));
        waiting.map(|at| (*at, &self.stages[at.1].resources)).collect()
    }

    /// Hides actions that wait for another executor.
    pub(in crate::run) fn hide(&mut self, actions: BTreeSet<(Priority, ActionId)>) {
        self.hidden = actions;
    }

    /// Takes an action. Returns `None` if it is not waiting, or if its inputs cannot be read; then it is
    /// added to `failed`.
    pub(in crate::run) fn take(&mut self, at: (Priority, ActionId), share: Share) -> Option<Action<'a>> {
        let ready = self.waiting.remove(&at)?;
        (self.make)(at.1, ready, share).map_err(|error| self.failed.push((at.1, error))).ok()
    }
}
