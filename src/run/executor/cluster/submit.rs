//! Submission of tasks as arrays of jobs.

use std::time::Duration;

use callsheet_worker::error::Error;

use super::errors::copy_of;
use super::poller::{Poller, Sent, TRY_AGAIN};
use super::queue::Submission;
use super::site::Site;
use super::slurm::Refusal;
use crate::run::task::Task;

/// Longest pause between two tries of a refused submission.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl<'a, S: Site<'a>> Poller<'a, S> {
    /// Submits tasks that wait: one array, because an order to stop must not wait for others. Returns true if it did.
    pub(super) fn submit(&mut self) -> bool {
        let now = self.site.now();
        if self.stopping.is_some() || now < self.next.0 || self.calls.left(now) == 0 {
            return false;
        }
        let Some(submission) = self.queue.next_submission(now) else { return false };
        self.calls.made(now, 1);
        self.send(submission);
        true
    }

    /// Submits an array. Its files are written first.
    fn send(&mut self, submission: Submission) {
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
        let (dir, started) = match self.site.submit(&name, &submission.shape, &specs) {
            Ok(written) => written,
            Err(error) => return self.fail(&submission, &error),
        };
        let array = match started {
            Ok(id) => {
                self.next.1 = TRY_AGAIN;
                self.queue.accepted(submission.jobs.len());
                Some(id)
            }
            Err(Refusal::Never(error)) => {
                self.site.discard(&dir);
                return self.fail(&submission, &error);
            }
            Err(Refusal::TooMany(reason)) => {
                self.site.discard(&dir);
                self.wait(&submission, &reason);
                return self.queue.too_many(submission.batch);
            }
            Err(Refusal::Later(reason)) => {
                self.wait(&submission, &reason);
                self.calls.made(self.site.now(), 1);
                let listed = self.site.list(std::slice::from_ref(&name));
                if listed.is_ok_and(|listed| listed.is_some_and(|listed| listed.is_empty())) {
                    self.queue.refused(submission.batch);
                    self.doubtful.insert(name, self.site.now());
                    return;
                }
                // The answer may have been lost: the next listings decide.
                None
            }
        };
        let jobs = submission.jobs.into_iter().map(|tasks| tasks.into_iter().map(Some).collect()).collect();
        let sent = Sent::new(name, dir, array, jobs, self.site.now());
        self.sent.insert(submission.batch, sent);
    }

    /// Ends the tasks of a submission that is not possible.
    fn fail(&mut self, submission: &Submission, error: &Error) {
        for task in submission.jobs.iter().flatten() {
            self.end_task(*task, || Err(copy_of(error)));
        }
    }

    /// Waits before the next submission.
    fn wait(&mut self, submission: &Submission, reason: &str) {
        let first = submission.jobs.first().and_then(|tasks| self.tasks.get(tasks.first()?));
        if let Some(taken) = first {
            self.warn(taken.id, format!("Slurm does not accept jobs now and is asked again: {reason}"));
        }
        // A smaller submission may be accepted soon.
        let pause = if submission.jobs.len() > 1 { TRY_AGAIN } else { self.next.1 };
        self.next = (self.site.now() + pause, (pause * 2).min(LONGEST_PAUSE));
    }
}

/// First digits of the hash of a run's id: names of jobs are short in listings.
fn fingerprint(run: &str) -> u32 {
    let hash = blake3::hash(run.as_bytes());
    u32::from_be_bytes([hash.as_bytes()[0], hash.as_bytes()[1], hash.as_bytes()[2], hash.as_bytes()[3]])
}
