//! Submission of tasks as arrays of jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use callsheet_worker::error::Result;
use callsheet_worker::protocol::{Level, WorkerEvent};

use super::errors::copy_of;
use super::poller::{Poller, Sent, TRY_AGAIN};
use super::queue::Submission;
use super::site::Site;
use super::slurm::Refusal;
use crate::run::executor::Update;
use crate::run::task::Task;

/// Longest pause between two tries of a refused submission.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl<'a, S: Site<'a>> Poller<'a, S> {
    /// Submits the tasks that wait.
    pub(super) fn submit(&mut self) -> Result<()> {
        if self.stopping.is_some() || self.site.now() < self.next.0 {
            return Ok(());
        }
        let most = self.calls.left(self.site.now());
        for submission in self.queue.submissions(most as usize) {
            self.calls.made(self.site.now(), 1);
            self.send(submission)?;
        }
        Ok(())
    }

    /// Submits an array. Its files are written first.
    fn send(&mut self, submission: Submission) -> Result<()> {
        let name = format!("cs-{:08x}{}", fingerprint(&self.run), self.count);
        self.count += 1;
        let tasks = |tasks: &Vec<u64>| {
            let task = |task: &u64| {
                let taken = self.tasks.get(task)?;
                Some(Task { action: taken.spec.clone(), shard: self.rows.shard(taken.id, *task) })
            };
            tasks.iter().filter_map(task).collect()
        };
        let specs: Vec<Vec<Task>> = submission.jobs.iter().map(tasks).collect();
        let (dir, started) = self.site.submit(&name, &submission.shape, &specs)?;
        let array = match started {
            Ok(id) => {
                self.next.1 = TRY_AGAIN;
                Some(id)
            }
            Err(Refusal::Never(error)) => {
                for task in submission.jobs.into_iter().flatten() {
                    self.end_task(task, || Err(copy_of(&error)));
                }
                return Ok(());
            }
            Err(Refusal::Later(reason)) => {
                self.warn(
                    &submission,
                    &format!("Slurm does not accept jobs now and is asked again: {reason}"),
                );
                self.next = (self.site.now() + self.next.1, (self.next.1 * 2).min(LONGEST_PAUSE));
                self.calls.made(self.site.now(), 1);
                if self.site.list(std::slice::from_ref(&name))?.is_some_and(|listed| listed.is_empty()) {
                    self.queue.refused(submission.batch);
                    self.doubtful.insert(name);
                    return Ok(());
                }
                // The answer may have been lost: the next listings decide.
                None
            }
        };
        let jobs = submission.jobs.into_iter().map(|tasks| tasks.into_iter().map(Some).collect()).collect();
        let (read, since) = (BTreeMap::new(), self.site.now());
        let sent = Sent { name, dir, array, jobs, read, since, is_adopted: false };
        self.sent.insert(submission.batch, sent);
        Ok(())
    }

    /// Warns the user about a submission, at its first task.
    fn warn(&self, submission: &Submission, message: &str) {
        let first = submission.jobs.first().and_then(|tasks| self.tasks.get(tasks.first()?));
        if let Some(taken) = first {
            let message = message.to_owned();
            self.report(taken.id, Update::Worker(WorkerEvent::Log { level: Level::Warning, message }));
        }
    }
}

/// First digits of the hash of a run's id: names of jobs are short in listings.
fn fingerprint(run: &str) -> u32 {
    let hash = blake3::hash(run.as_bytes());
    u32::from_be_bytes([hash.as_bytes()[0], hash.as_bytes()[1], hash.as_bytes()[2], hash.as_bytes()[3]])
}
