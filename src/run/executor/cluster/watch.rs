//! Listings of jobs, which explain what the store does not have yet.

use std::collections::BTreeMap;
use std::time::Duration;

use super::errors::error_of;
use super::poller::{Poller, Sent};
use super::queue::{BatchId, JobEnd, JobState, LostTask, Moment, TaskId};
use super::reasons::in_words;
use super::site::{OtherWork, Site};
use super::slurm::{Listed, States};
use crate::run::executor::{ActionId, Outcome, Update};

/// Age of a submission from which the cluster must list it.
const LISTED_AFTER: Duration = Duration::from_secs(10);

/// Time for which a submission may still turn up that the cluster did not list.
const DOUBTFUL: Duration = Duration::from_secs(600);

impl<'a, S: Site<'a>> Poller<'a, S> {
    /// Lists all jobs of this run, and looks for those that ended without news.
    pub(super) fn list(&mut self) {
        let now = self.site.now();
        self.doubtful.retain(|_, since| now.saturating_sub(*since) < DOUBTFUL);
        let names = self.sent.values().map(|sent| &sent.name).chain(self.doubtful.keys());
        let names: Vec<String> = names.cloned().collect();
        if names.is_empty() {
            return;
        }
        let listed = self.site.list(&names).ok().flatten();
        self.answered(listed.is_some());
        let Some(listed) = listed else { return };
        for sent in self.sent.values_mut().filter(|sent| sent.array.is_none()) {
            sent.array = listed.iter().find(|job| job.name == sent.name).map(|job| job.array.clone());
        }
        // A listing may be older than a submission: its tasks were submitted again.
        let doubtful =
            listed.iter().filter(|job| job.state.is_live() && self.doubtful.contains_key(&job.name));
        let found: BTreeMap<String, String> =
            doubtful.map(|job| (job.name.clone(), job.array.clone())).collect();
        self.doubtful.retain(|name, _| !found.contains_key(name));
        self.unneeded.extend(found.into_values());
        self.explain(&listed);
        let states = States::new(&listed);
        let (site, sent, queue) = (&self.site, &self.sent, &mut self.queue);
        let state = |batch: BatchId, index: usize| {
            let sent = sent.get(&batch)?;
            Some(match state_of(sent, index, &states, now)? {
                JobState::Ended(JobEnd::Failed) if !site.has_output(&sent.dir, index) => {
                    JobState::Ended(JobEnd::Exited)
                }
                state => state,
            })
        };
        if self.stopping.is_some() {
            // Jobs that never began, and jobs that were killed, have no news.
            let has_ended = |(batch, index, _): &(BatchId, usize, &[TaskId])| {
                matches!(state(*batch, *index), Some(JobState::Ended(_)))
            };
            let gone: Vec<TaskId> =
                queue.open_jobs().filter(has_ended).flat_map(|(.., tasks)| tasks.to_vec()).collect();
            gone.into_iter().for_each(|task| self.end_task(task, || Ok(Outcome::Stopped)));
            return;
        }
        for lost in queue.listed(now, state) {
            self.lose(lost);
        }
    }

    /// Reports for each action why its jobs wait, whenever the reason changes. One that has a running job does not wait.
    fn explain(&mut self, listed: &[Listed]) {
        let mut reasons: BTreeMap<ActionId, Option<&str>> = BTreeMap::new();
        let by_name: BTreeMap<&str, &Sent> =
            self.sent.values().map(|sent| (sent.name.as_str(), sent)).collect();
        for job in listed {
            let Some(sent) = by_name.get(job.name.as_str()) else { continue };
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
                    self.report(id, Update::Queued(reason));
                }
                self.reasons.insert(id, reason);
            }
        }
    }

    /// Reports a task whose job ended without news.
    fn lose(&mut self, lost: LostTask) {
        let Some(taken) = self.tasks.get(&lost.task) else { return };
        // Its news may be lost, but its result is what counts. That of a forced action may be an earlier one.
        if !lost.again
            && !taken.is_shard
            && !taken.spec.is_forced()
            && let Ok(OtherWork::Done(head)) = self.site.other_work(&taken.spec, &taken.decl)
        {
            return self.end(lost.task, None, Ok(Outcome::Taken(head)));
        }
        let (batch, index) = lost.job;
        let place = self.sent.get(&batch).map(|sent| (sent.dir.clone(), index));
        let error = error_of(self.decl, lost.end, place.as_ref());
        if lost.again {
            self.report(taken.id, Update::Retry(error, Duration::ZERO));
        } else {
            self.end_task(lost.task, || Err(error));
        }
    }
}

/// State of a job of a submission; `None` if the cluster need not list it yet.
fn state_of(sent: &Sent, index: usize, states: &States, now: Moment) -> Option<JobState> {
    let unknown =
        || (now.saturating_sub(sent.since) > LISTED_AFTER).then_some(JobState::Ended(JobEnd::Unknown));
    states.get(&sent.name, index).or_else(unknown)
}
