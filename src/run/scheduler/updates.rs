//! Conversion of an executor's updates into events of the run.

use super::{Scheduler, Status};
use crate::event::Event;
use crate::run::executor::{ActionId, Executor, Update};

impl<'a, R: FnMut(&Event), E: Executor<'a>> Scheduler<'a, R, E> {
    /// Handles an update of an action.
    pub(super) fn update(&mut self, position: ActionId, update: Update) {
        let stage = || self.run.plan.stages[position].name.clone();
        let event = match update {
            Update::Waiting(holder) => Event::Waiting { stage: stage(), holder },
            Update::Queued(reason) => Event::Queued { stage: stage(), reason },
            Update::Started { progress } => {
                let Status::Running(begun) = &mut self.status[position] else { return };
                let reasons = std::mem::take(&mut begun.reasons);
                Event::Started {
                    stage: stage(),
                    key: begun.key,
                    course: begun.course,
                    resumes: progress > 0,
                    reasons,
                }
            }
            Update::Rows { missing, of } => Event::Rows { stage: stage(), compute: missing, of },
            Update::Worker(said) => Event::Worker { stage: stage(), said },
            Update::Retry(error, pause) => {
                let (message, seconds) = (error.to_string(), pause.as_secs_f64());
                Event::Retrying { stage: stage(), message, seconds }
            }
            Update::Released => return self.release_early(position),
            Update::Ended(outcome) => return self.ended(position, outcome),
        };
        (self.report)(&event);
    }

    /// Frees a worker's share before its result is in the store. The share stays taken if a stage that waits for
    /// this result is more urgent than all stages that could take the share meanwhile.
    fn release_early(&mut self, position: usize) {
        let waits = self.consumers[position].iter().filter(|consumer| self.missing[**consumer] == 1);
        let next = waits.map(|consumer| self.priority(*consumer)).min();
        let ready = self.ready.keys().next().map(|(priority, _)| *priority);
        if next.zip(ready).is_none_or(|(next, ready)| ready <= next) {
            self.executor.release(position);
        }
    }
}
