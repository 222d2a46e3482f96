//! Effects of an action's end on other stages.

use std::collections::BTreeSet;
use std::sync::Arc;

use callsheet_worker::error::{Error, Result};

use super::{Scheduler, Status};
use crate::event::Event;
use crate::run::executor::{Executor, Outcome, Stop};
use crate::run::preview::rows;
use crate::store::LatestResult;

impl<'a, R: FnMut(&Event), E: Executor<'a>> Scheduler<'a, R, E> {
    pub(super) fn ended(&mut self, position: usize, outcome: Result<Outcome>) {
        self.running -= 1;
        let stage = self.run.plan.stages[position].name.clone();
        let head = match outcome {
            Ok(Outcome::ActionOutput(head)) => {
                let rows = rows(&head.outputs);
                self.made.insert(stage.clone());
                (self.report)(&Event::Finished { stage, key: head.key, seconds: head.seconds, rows });
                self.summary.ran += 1;
                head
            }
            Ok(Outcome::Taken(head)) => {
                (self.report)(&Event::Cached { stage, key: head.key });
                self.summary.cached += 1;
                head
            }
            Ok(Outcome::Stopped | Outcome::Checkpointed) => {
                self.status[position] = Status::Lost;
                (self.report)(&Event::Stopped { stage });
                return;
            }
            Err(error) => return self.failed(position, error),
        };
        let next = self.done(position, head);
        self.settle(next);
    }

    /// Shows a result; returns the stages whose inputs are all known now.
    pub(super) fn done(&mut self, position: usize, head: Arc<LatestResult>) -> BTreeSet<usize> {
        match &mut self.unshown {
            Some(unshown) => {
                if !self.snapshot.shows(&self.run.plan.stages[position].name, &head) {
                    unshown.push(position);
                }
            }
            None => self.show(position, &head),
        }
        self.status[position] = Status::Done(head);
        let mut next = BTreeSet::new();
        for consumer in &self.consumers[position] {
            self.missing[*consumer] -= 1;
            if self.missing[*consumer] == 0 && !matches!(self.status[*consumer], Status::Lost) {
                next.insert(*consumer);
            }
        }
        next
    }

    /// Records the failure of a stage, and blocks all stages that depend on it.
    pub(super) fn failed(&mut self, position: usize, error: Error) {
        self.tell_failure(position, error);
        self.status[position] = Status::Lost;
        let mut open = vec![position];
        while let Some(by) = open.pop() {
            for consumer in self.consumers[by].clone() {
                if matches!(self.status[consumer], Status::Waiting) {
                    self.status[consumer] = Status::Lost;
                    let name = |position: usize| self.run.plan.stages[position].name.clone();
                    (self.report)(&Event::Blocked { stage: name(consumer), by: name(by) });
                    open.push(consumer);
                }
            }
        }
        if self.options.fail_fast && !self.summary.stopped {
            self.stop(Stop::Clean);
        }
    }

    pub(super) fn tell_failure(&mut self, position: usize, error: Error) {
        let stage = self.run.plan.stages[position].name.clone();
        let help = miette::Diagnostic::help(&error).map(|h| h.to_string()).unwrap_or_default();
        let (code, message) = (error.kind().to_string(), error.to_string());
        (self.report)(&Event::Failed { stage: stage.clone(), code, message, help });
        self.summary.failed.push((stage, error));
    }
}
