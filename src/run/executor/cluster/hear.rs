//! News of jobs.

use std::fs;
use std::time::{Duration, Instant};

use callsheet_worker::protocol::WorkerEvent;

use super::errors::error_of;
use super::poller::Poller;
use super::queue::{JobEnd, TaskId};
use crate::run::executor::{Outcome, Update};
use crate::run::task::{NewsFile, TaskEnd, TaskUpdate, list_news};

impl<'s, 'a: 's> Poller<'s, 'a> {
    /// Reads the news that jobs have written since the last call.
    pub(super) fn read_news(&mut self) {
        for batch in self.sent.keys().copied().collect::<Vec<_>>() {
            let Some(sent) = self.sent.get_mut(&batch) else { continue };
            let fresh: Vec<NewsFile> = list_news(&sent.dir)
                .into_iter()
                .filter(|file| sent.read.get(&file.attempt()).is_none_or(|read| *read < file.number))
                .collect();
            sent.read.extend(fresh.iter().map(|file| (file.attempt(), file.number)));
            let jobs = sent.jobs.clone();
            for file in fresh {
                let Some(tasks) = jobs.get(file.index) else { continue };
                let mut is_end = file.is_end;
                for news in file.read() {
                    is_end |= matches!(news.update, TaskUpdate::Ended(_));
                    if let Some(Some(task)) = tasks.get(news.task) {
                        self.hear(*task, news.update);
                    }
                }
                // If this engine is killed, another one needs the ends of tasks only.
                if !is_end {
                    let _ = fs::remove_file(&file.path);
                }
            }
        }
    }

    fn hear(&mut self, task: TaskId, update: TaskUpdate) {
        let Some(taken) = self.tasks.get(&task) else { return };
        let (id, is_shard) = (taken.id, taken.is_shard);
        match update {
            TaskUpdate::Started(_) if is_shard => self.shard_started(id),
            TaskUpdate::Started(resumes) => self.tell(id, Update::Started { resumes }),
            TaskUpdate::Rows { missing, of } => self.tell(id, Update::Rows { missing, of }),
            TaskUpdate::Part(part) => self.shard_part(id, task, part),
            // The progress of a row-wise action is that of all its shards.
            TaskUpdate::Worker(WorkerEvent::Progress { .. }) if is_shard => {}
            TaskUpdate::Worker(event) => self.tell(id, Update::Worker(event)),
            TaskUpdate::Retry(error, seconds) => {
                self.tell(id, Update::Retry(error.into(), Duration::from_secs_f64(seconds)));
            }
            TaskUpdate::Ended(end) => self.task_ended(task, end),
        }
    }

    fn task_ended(&mut self, task: TaskId, end: TaskEnd) {
        match end {
            TaskEnd::Computed(head) => {
                let seconds = Some(head.seconds);
                self.end(task, seconds, Ok(Outcome::ActionOutput(head)));
            }
            TaskEnd::Taken(head) => self.end(task, None, Ok(Outcome::Taken(head))),
            TaskEnd::Shard => self.end_shard(task, Ok(true)),
            TaskEnd::Failed(error) => self.end_task(task, || Err(error.into())),
            // Without a stop of the run, somebody else has ended the job.
            TaskEnd::Stopped if self.stopping.is_none() => {
                self.end_task(task, || Err(error_of(self.decl, JobEnd::Cancelled, None)));
            }
            TaskEnd::Stopped => self.end_task(task, || Ok(Outcome::Stopped)),
            TaskEnd::OutOfTime | TaskEnd::Leased(_) if self.stopping.is_some() => {
                self.end_task(task, || Ok(Outcome::Stopped));
            }
            TaskEnd::OutOfTime => self.queue.again(task),
            TaskEnd::Leased(holder) => {
                if let Some(id) = self.tasks.get(&task).map(|taken| taken.id) {
                    self.waits_for.insert(id, holder.clone());
                    self.tell(id, Update::Waiting(holder));
                }
                self.queue.leave(task);
                self.leased.insert(task, Instant::now());
            }
        }
    }
}
