//! Listings of jobs, which explain what the store does not have yet.

use std::collections::BTreeMap;

use callsheet_worker::error::Result;

use super::errors::error_of;
use super::poller::{Poller, Sent};
use super::queue::{BatchId, JobEnd, JobState, LostTask, TaskId};
use super::reasons::in_words;
use super::slurm::{self, Listed, States};
use crate::run::executor::{ActionId, Outcome, Update};
use crate::run::task::JobDir;
use std::time::Duration;

/// Age of a submission from which the cluster must list it.
const LISTED_AFTER: Duration = Duration::from_secs(10);

impl<'s, 'a: 's> Poller<'s, 'a> {
    /// Lists all jobs of this run, and looks for those that ended without a word.
    pub(super) fn list(&mut self) -> Result<()> {
        let names: Vec<String> = self.sent.values().map(|sent| sent.name.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let Some(listed) = slurm::list(&names)? else { return Ok(()) };
        for sent in self.sent.values_mut().filter(|sent| sent.array.is_none()) {
            sent.array = listed.iter().find(|job| job.name == sent.name).map(|job| job.array.clone());
        }
        self.explain(&listed);
        let (states, now) = (States::new(&listed), self.clock.elapsed());
        let (sent, queue) = (&self.sent, &mut self.queue);
        let state = |batch: BatchId, index: usize| state_of(sent.get(&batch)?, index, &states);
        if self.stopping.is_some() {
            // Jobs that never began, and jobs that were killed, have no news.
            let has_ended = |(batch, index, _): &(BatchId, usize, &[TaskId])| {
                matches!(state(*batch, *index), Some(JobState::Ended(_)))
            };
            let gone: Vec<TaskId> =
                queue.open_jobs().filter(has_ended).flat_map(|(.., tasks)| tasks.to_vec()).collect();
            gone.into_iter().for_each(|task| self.end_task(task, || Ok(Outcome::Stopped)));
            return Ok(());
        }
        let places = queue.open_jobs().filter_map(|(batch, index, tasks)| {
            let dir = &sent.get(&batch)?.dir;
            Some(tasks.iter().map(move |task| (*task, (dir.clone(), index))).collect::<Vec<_>>())
        });
        let places: BTreeMap<TaskId, (JobDir, usize)> = places.flatten().collect();
        for lost in queue.listed(now, state) {
            self.lose(lost, places.get(&lost.task));
        }
        Ok(())
    }

    /// Reports for each action why its jobs wait, whenever the reason changes. One that has a running job does not wait.
    fn explain(&mut self, listed: &[Listed]) {
        let mut reasons: BTreeMap<ActionId, Option<&str>> = BTreeMap::new();
        for job in listed {
            let Some(sent) = self.sent.values().find(|sent| sent.name == job.name) else { continue };
            let Some(index) = job.index else { continue };
            let tasks = sent.jobs.get(index).into_iter().flatten().flatten();
            for taken in tasks.filter_map(|task| self.tasks.get(task)) {
                let known = reasons.entry(taken.id).or_insert(Some("None"));
                match job.state {
                    // Slurm has not looked at it yet.
                    JobState::Pending if job.reason == "None" => {}
                    JobState::Pending if known.is_some() => *known = Some(&job.reason),
                    JobState::Pending => {}
                    _ => *known = None,
                }
            }
        }
        for (id, reason) in reasons {
            let reason = reason.filter(|reason| *reason != "None").map(in_words);
            if self.reasons.get(&id) != Some(&reason) {
                if let Some(reason) = reason.clone() {
                    self.tell(id, Update::Queued(reason));
                }
                self.reasons.insert(id, reason);
            }
        }
    }

    /// Reports a task whose job ended without a word.
    fn lose(&mut self, lost: LostTask, place: Option<&(JobDir, usize)>) {
        let Some(taken) = self.tasks.get(&lost.task) else { return };
        let error = error_of(self.decl, lost.end, place);
        if lost.again {
            self.tell(taken.id, Update::Retry(error, Duration::ZERO));
        } else {
            self.end_task(lost.task, || Err(error));
        }
    }
}

/// State of a job of a submission; `None` if the cluster need not list it yet.
fn state_of(sent: &Sent, index: usize, states: &States) -> Option<JobState> {
    let unknown = || (sent.since.elapsed() > LISTED_AFTER).then_some(JobState::Ended(JobEnd::Unknown));
    states.get(&sent.name, index).or_else(unknown)
}
