//! News of jobs.

use std::time::Duration;

use callsheet_worker::protocol::WorkerEvent;

use super::poller::Poller;
use super::queue::{BatchId, TaskId};
use super::site::{JobNews, Site};
use crate::run::executor::{Outcome, Update};
use crate::run::task::{TaskEnd, TaskUpdate};

impl<'a, S: Site<'a>> Poller<'a, S> {
    /// Reads the news that jobs have written since the last call.
    pub(super) fn read_news(&mut self) {
        for batch in self.sent.keys().copied().collect::<Vec<_>>() {
            let Some(sent) = self.sent.get_mut(&batch) else { continue };
            for JobNews { index, attempt, news } in self.site.news(&sent.dir, &mut sent.read) {
                for news in news {
                    let is_stopped = matches!(news.update, TaskUpdate::Ended(TaskEnd::Stopped));
                    self.queue.heard((batch, index), &attempt, is_stopped);
                    // The submission is gone once its last task is over.
                    let tasks = self.sent.get(&batch).and_then(|sent| sent.jobs.get(index));
                    if let Some(Some(task)) = tasks.and_then(|tasks| tasks.get(news.task)).copied() {
                        self.hear(task, (batch, index), news.update);
                    }
                }
            }
        }
    }

    fn hear(&mut self, task: TaskId, job: (BatchId, usize), update: TaskUpdate) {
        let Some(taken) = self.tasks.get(&task) else { return };
        let (id, is_shard) = (taken.id, taken.is_shard);
        match update {
            TaskUpdate::Started(progress) => {
                self.queue.started(task, progress);
                if is_shard {
                    self.shard_started(id);
                } else {
                    self.report(id, Update::Started { progress });
                }
            }
            TaskUpdate::Rows { missing, of } => self.report(id, Update::Rows { missing, of }),
            TaskUpdate::Part(part) => self.shard_part(id, task, part),
            // The progress of a row-wise action is that of all its shards.
            TaskUpdate::Worker(WorkerEvent::Progress { .. }) if is_shard => {}
            TaskUpdate::Worker(event) => self.report(id, Update::Worker(event)),
            TaskUpdate::Retry(error, seconds) => {
                self.report(id, Update::Retry(error.into(), Duration::from_secs_f64(seconds)));
            }
            TaskUpdate::Ended(end) => self.task_ended(task, job, end),
        }
    }

    fn task_ended(&mut self, task: TaskId, job: (BatchId, usize), end: TaskEnd) {
        match end {
            TaskEnd::Computed(head) => {
                let seconds = Some(head.seconds);
                self.end(task, seconds, Ok(Outcome::ActionOutput(head)));
            }
            TaskEnd::Taken(head) => self.end(task, None, Ok(Outcome::Taken(head))),
            TaskEnd::Shard => self.end_shard(task, Ok(true)),
            TaskEnd::Failed(error) => self.end_task(task, || Err(error.into())),
            // Without a stop of the run, somebody else ends the job, or the cluster does in order to start it again: the
            // listings decide.
            TaskEnd::Stopped if self.stopping.is_none() => {}
            TaskEnd::Stopped => self.end_task(task, || Ok(Outcome::Stopped)),
            TaskEnd::OutOfTime | TaskEnd::Leased(_) if self.stopping.is_some() => {
                self.end_task(task, || Ok(Outcome::Stopped));
            }
            // The task was submitted again since then.
            TaskEnd::OutOfTime | TaskEnd::Leased(_) if !self.queue.is_in(task, job) => {}
            TaskEnd::OutOfTime => self.queue.put_back(task),
            TaskEnd::Leased(holder) => {
                if let Some(id) = self.tasks.get(&task).map(|taken| taken.id) {
                    self.waits_for.insert(id, holder.clone());
                    self.report(id, Update::Waiting(holder));
                }
                self.queue.leave(task);
                self.leased.insert(task, self.site.now());
            }
        }
    }
}
