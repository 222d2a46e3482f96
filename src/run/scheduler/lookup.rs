//! Looks up results as soon as the inputs of a stage are known.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use callsheet_worker::error::Result;

use super::{Scheduler, Status};
use crate::event::Event;
use crate::key::ActionKey;
use crate::plan::Input;
use crate::run::executor::{Executor, Ready};
use crate::run::preview::{key_of, left_out_by_only};
use crate::store::{LatestResult, Watch};

impl<'a, R: FnMut(&Event), E: Executor<'a>> Scheduler<'a, R, E> {
    /// Looks up the `open` stages, whose inputs are all known. A hit may complete the inputs of other
    /// stages, which are then looked up, too.
    pub(super) fn settle(&mut self, mut open: BTreeSet<usize>) {
        while let Some(position) = open.pop_first() {
            match self.look_up(position) {
                Ok(Some(head)) => {
                    self.summary.cached += 1;
                    let stage = self.run.plan.stages[position].name.clone();
                    (self.report)(&Event::Cached { stage, key: head.key });
                    open.extend(self.done(position, head));
                }
                Ok(None) => self.status[position] = Status::Ready,
                Err(error) => self.failed(position, error),
            }
        }
    }

    /// Returns the result of a stage if it is in the store and the user does not force the stage to run.
    /// Otherwise the stage is added to the ready stages.
    fn look_up(&mut self, position: usize) -> Result<Option<Arc<LatestResult>>> {
        let stage = &self.run.plan.stages[position];
        let key = self.key(position)?;
        let forced = self.options.force.contains(&stage.name);
        let digest = key.digest();
        if !forced && let Some(head) = self.snapshot.find(self.run.store, stage, &digest) {
            return Ok(Some(head));
        }
        if self.options.only.as_ref().is_some_and(|only| !only.contains(&stage.name)) {
            return Err(left_out_by_only(&stage.name));
        }
        self.executor.class(&stage.name, &stage.resources)?;
        let watch = self.watch(position)?;
        // A file may have changed since the key was computed: the key must be that of the watched contents.
        let key = self.key(position)?;
        self.ready.insert((self.priority(position), position), Ready { key, watch });
        Ok(None)
    }

    /// Returns the key of a stage whose inputs are all known.
    fn key(&mut self, position: usize) -> Result<ActionKey> {
        let status = &self.status;
        let objects = |producer: usize| match &status[producer] {
            Status::Done(head) => Some(&head.outputs),
            _ => None,
        };
        key_of(self.sources, self.run.plan, &self.run.plan.stages[position], objects)
    }

    /// Returns the raw files and the code of a stage whose key was computed.
    fn watch(&mut self, position: usize) -> Result<Watch> {
        let stage = &self.run.plan.stages[position];
        let raw = stage.inputs.values().flat_map(|input| match input {
            Input::Source { files, .. } => files.as_slice(),
            Input::Artifact { .. } | Input::Gather { .. } => &[],
        });
        let code = stage.decl.code.iter().map(|(_, path)| path.as_path());
        self.sources.watch(raw.map(PathBuf::as_path).chain(code))
    }
}
