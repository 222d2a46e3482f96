//! Live jobs of runs that were killed: their work is taken over instead of being submitted again.

use std::collections::BTreeMap;
use std::time::Instant;

use callsheet_worker::digest::Digest;

use super::live::{Live, find_live};
use super::poller::{Poller, Sent};
use super::queue::{NewTask, TaskId};
use crate::run::rows::Piece;
use crate::run::task::JobDir;

impl<'s, 'a: 's> Poller<'s, 'a> {
    /// Adopts the job of an earlier run that performs the action with this key, if there is one.
    pub(super) fn adopt(&mut self, key: &Digest, task: &NewTask) -> Option<TaskId> {
        let live = self.live();
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
        let live = self.live();
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
            let jobs = count_jobs(&found.dir);
            let batch = self.queue.adopt_batch(jobs);
            let sent = Sent {
                name: found.name.clone(),
                dir: found.dir.clone(),
                array: Some(found.array.clone()),
                jobs: vec![Vec::new(); jobs],
                read: BTreeMap::new(),
                since: Instant::now(),
                is_adopted: true,
            };
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
            sent.read.retain(|(index, _), _| *index != found.index);
        }
        id
    }

    /// Live jobs of earlier runs, which are looked for once.
    fn live(&mut self) -> &Live {
        if self.live.is_none() {
            self.live = Some(find_live(self.run));
        }
        self.live.get_or_insert_default()
    }
}

fn count_jobs(dir: &JobDir) -> usize {
    (0..).take_while(|index| dir.tasks(*index).exists()).count()
}
