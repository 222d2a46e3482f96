//! Live jobs of runs that were killed: their work is taken over instead of being submitted again.

use std::collections::BTreeMap;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;

use super::live::Live;
use super::poller::{Poller, Sent, TRY_AGAIN};
use super::queue::{NewTask, TaskId};
use super::site::Site;
use crate::run::rows::Piece;

impl<'a, S: Site<'a>> Poller<'a, S> {
    /// Adopts the job of an earlier run that performs the action with this key, if there is one.
    pub(super) fn adopt(&mut self, key: &Digest, task: &NewTask) -> Option<TaskId> {
        let live = self.live.get_or_insert_default();
        let found = live.jobs.iter().enumerate().find_map(|(job, found)| {
            let mut tasks = found.tasks.iter();
            tasks
                .find(|(_, task)| task.key == *key && task.rows.is_none())
                .map(|(position, _)| (job, *position))
        });
        let (job, position) = found?;
        Some(self.adopt_at(job, position, task))
    }

    /// Adopts the jobs of earlier runs that compute rows of the action with this key. `row` returns the position of a row
    /// that is missing. Returns the tasks with their rows.
    pub(super) fn adopt_shards(
        &mut self,
        key: &Digest,
        task: &NewTask,
        mut row: impl FnMut(&Digest) -> Option<usize>,
    ) -> Vec<(TaskId, Piece)> {
        let live = self.live.get_or_insert_default();
        let mut found = Vec::new();
        for (job, of_job) in live.jobs.iter().enumerate() {
            for (position, task) in of_job.tasks.iter().filter(|(_, task)| task.key == *key) {
                let all = task.rows.iter().flatten().enumerate();
                let rows: Vec<(usize, usize)> =
                    all.filter_map(|(at, input)| Some((at, row(input)?))).collect();
                if !rows.is_empty() {
                    found.push((job, *position, Piece::adopted(rows, task.sample)));
                }
            }
        }
        found.into_iter().map(|(job, position, piece)| (self.adopt_at(job, position, task), piece)).collect()
    }

    fn adopt_at(&mut self, job: usize, position: usize, task: &NewTask) -> TaskId {
        let live = self.live.get_or_insert_default();
        let found = &mut live.jobs[job];
        found.tasks.remove(&position);
        let batch = *live.batches.entry(found.name.clone()).or_insert_with(|| {
            let batch = self.queue.adopt_batch(found.of);
            let (name, dir, array) = (found.name.clone(), found.dir.clone(), Some(found.array.clone()));
            let mut sent = Sent::new(name, dir, array, vec![Vec::new(); found.of], self.site.now());
            (sent.is_adopted, sent.read.is_adopted) = (true, true);
            self.sent.insert(batch, sent);
            batch
        });
        let id = self.queue.adopt(batch, found.index, task.clone());
        if let Some(sent) = self.sent.get_mut(&batch) {
            let tasks = &mut sent.jobs[found.index];
            if tasks.len() <= position {
                tasks.resize(position + 1, None);
            }
            tasks[position] = Some(id);
            // News of the task may have been read when another task of the job was adopted.
            sent.read.forget(found.index);
        }
        id
    }

    /// Looks for live jobs of earlier runs, once. Returns false if the cluster does not answer: work that they do must not be
    /// submitted again.
    ///
    /// # Errors
    /// Returns an error if the cluster can never be asked.
    pub(super) fn knows_live(&mut self) -> Result<bool> {
        let now = self.site.now();
        if self.live.is_none() && now >= self.next_live {
            self.next_live = now + TRY_AGAIN;
            self.live = self.site.live()?.map(|jobs| Live { jobs, batches: BTreeMap::new() });
            self.answered(self.live.is_some());
        }
        Ok(self.live.is_some())
    }
}
