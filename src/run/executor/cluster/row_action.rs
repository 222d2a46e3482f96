//! Row-wise actions on a cluster: their missing rows are cut into shards, which jobs compute; then the table is assembled
//! where the engine runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::protocol::WorkerEvent;

use super::poller::{Poller, TRY_AGAIN, Taken};
use super::queue::{Shape, TaskId};
use super::row_state::{Done, RowAction};
use super::site::Site;
use crate::run::action::Action;
use crate::run::executor::{ActionId, Outcome, Update};
use crate::run::rows::{Planned, Rates, ShardPart};
use crate::run::task::TaskSpec;

/// Largest number of actions whose rows are looked up, or whose tables are assembled, at one time.
const THREADS: usize = 4;

/// Number of jobs of an action that may end without news about any of their rows.
const MOST_EMPTY: u32 = 3;

impl<'a, S: Site<'a>> Poller<'a, S> {
    pub(super) fn take_rows(&mut self, id: ActionId, shape: Shape, action: Box<Action<'a>>) {
        self.rows.to_plan.push_back((self.site.now(), id, shape, action));
        self.look_at_rows();
    }

    /// Starts to look up the rows of actions, and cuts those that were looked up into shards.
    pub(super) fn look_at_rows(&mut self) {
        while let Ok(done) = self.rows.receiver.try_recv() {
            self.rows.threads -= 1;
            if let Done::Planned(id, shape, action, planned) = done {
                self.planned(id, shape, action, planned);
            }
        }
        let job_seconds = self.decl.job_time.as_secs_f64();
        let now = self.site.now();
        let waiting = self.rows.open.iter().filter(|(_, action)| !action.left.is_empty());
        let ready =
            waiting.filter(|(_, action)| !action.waits_for_samples(now, job_seconds)).map(|(id, _)| *id);
        ready.collect::<Vec<_>>().into_iter().for_each(|id| self.go_on(id));
        while self.rows.threads < THREADS
            && let Some(at) = self.rows.to_plan.iter().position(|(from, ..)| *from <= now)
            && let Some((_, id, shape, action)) = self.rows.to_plan.remove(at)
        {
            if self.stopping.is_some() {
                self.finish(id, Ok(Outcome::Stopped));
                continue;
            }
            self.rows.threads += 1;
            self.site.plan_rows(id, shape, action, self.rows.sender.clone());
        }
    }

    fn planned(&mut self, id: ActionId, shape: Shape, action: Box<Action<'a>>, planned: Result<Planned>) {
        let plan = match planned {
            Err(error) => return self.finish(id, Err(error)),
            Ok(Planned::Taken(head)) => return self.finish(id, Ok(Outcome::Taken(head))),
            Ok(Planned::Leased(holder)) => {
                self.report(id, Update::Waiting(holder));
                return self.rows.to_plan.push_back((self.site.now() + TRY_AGAIN, id, shape, action));
            }
            Ok(Planned::Rows(plan)) => plan,
        };
        let (missing, of) = (plan.missing.len() as u64, plan.rows() as u64);
        let spec = Arc::new(TaskSpec::new(&action));
        let known = (self.known.rate)(&action.stage.name);
        let key = action.key.digest();
        let mut row_action = RowAction {
            action,
            spec,
            shape,
            plan,
            began: self.site.now(),
            is_started: missing == 0,
            shards: BTreeMap::new(),
            left: Vec::new(),
            parts: Vec::new(),
            computed: 0,
            rates: Rates::new(known),
            empty: 0,
            failed: None,
            is_stopped: false,
        };
        if missing == 0 {
            self.report(id, Update::Started { progress: 0 });
        }
        self.report(id, Update::Rows { missing, of });
        if let Some(warning) = row_action.plan.warning.take() {
            self.report(id, Update::Worker(warning));
        }
        let mut open: BTreeMap<Digest, usize> =
            row_action.plan.missing.iter().map(|row| (*row_action.plan.input(*row), *row)).collect();
        let task = row_action.task(None);
        let is_forced = row_action.action.force;
        for (task, piece) in
            self.adopt_shards(&key, &task, |input| if is_forced { None } else { open.remove(input) })
        {
            self.tasks.insert(task, taken(id, &row_action));
            row_action.shards.insert(task, piece);
        }
        let open: BTreeSet<usize> = open.into_values().collect();
        row_action.left = row_action.plan.missing.iter().copied().filter(|row| open.contains(row)).collect();
        self.rows.open.insert(id, row_action);
        self.go_on(id);
    }

    /// Cuts the rows that are left into shards; assembles the table if there are none.
    fn go_on(&mut self, id: ActionId) {
        let (job_seconds, samples) = (self.decl.job_time.as_secs_f64(), self.rows.samples);
        let now = self.site.now();
        let Some(action) = self.rows.open.get_mut(&id) else { return };
        let is_over = action.failed.is_some() || action.is_stopped || self.stopping.is_some();
        if !is_over && !action.waits_for_samples(now, job_seconds) {
            let left = std::mem::take(&mut action.left);
            let rate = action.rates.median();
            for piece in action.plan.pieces(&left, rate, job_seconds, samples) {
                // Samples run at one time.
                let seconds = if piece.is_sample() { Some(job_seconds) } else { piece.seconds() };
                let task = self.queue.add(action.task(seconds));
                self.tasks.insert(task, taken(id, action));
                action.shards.insert(task, piece);
            }
        }
        if !action.shards.is_empty() {
            return;
        }
        let Some(action) = self.rows.open.remove(&id) else { return };
        match action.failed {
            Some(error) => self.finish(id, Err(error)),
            None if action.is_stopped || self.stopping.is_some() => {
                self.finish(id, Ok(Outcome::Stopped));
            }
            None => {
                self.rows.threads += 1;
                self.forget_action(id);
                self.site.assemble(id, action, self.rows.sender.clone());
            }
        }
    }

    pub(super) fn shard_started(&mut self, id: ActionId) {
        let is_first = self
            .rows
            .open
            .get_mut(&id)
            .is_some_and(|action| !std::mem::replace(&mut action.is_started, true));
        if is_first {
            self.report(id, Update::Started { progress: 0 });
        }
    }

    pub(super) fn shard_part(&mut self, id: ActionId, task: TaskId, part: ShardPart) {
        let Some(action) = self.rows.open.get_mut(&id) else { return };
        if let Some(piece) = action.shards.get_mut(&task) {
            piece.done = piece.done.max(part.done);
        }
        if let Some(rate) = part.rate {
            action.rates.add(task, rate);
        }
        action.computed += part.computed;
        action.parts.push(part);
        let done = action.computed;
        let (total, unit) = (action.plan.missing.len() as u64, "rows".to_owned());
        self.report(id, Update::Worker(WorkerEvent::Progress { done, total, unit }));
    }

    /// Ends a shard. A shard without an error may have rows left.
    pub(super) fn end_shard(&mut self, task: TaskId, result: Result<bool>) {
        let Some(Taken { id, .. }) = self.forget(task, None) else { return };
        let Some(action) = self.rows.open.get_mut(&id) else { return };
        let Some(piece) = action.shards.remove(&task) else { return };
        match result {
            // The parts of an adopted shard may have been read by the engine that was killed.
            Ok(true) if piece.done == 0 && !piece.is_adopted() && action.empty == MOST_EMPTY => {
                let message = "jobs end without having computed any of their rows";
                action.failed.get_or_insert(Error::user_error(Code::Internal, message, "report it"));
            }
            Ok(true) => {
                action.empty += u32::from(piece.done == 0);
                action.left.extend(piece.left());
                action.left.sort_unstable();
            }
            Ok(false) => action.is_stopped = true,
            Err(error) => {
                action.failed.get_or_insert(error);
                let others = std::mem::take(&mut action.shards).into_keys().collect();
                self.cancel(&others);
            }
        }
        self.go_on(id);
    }

    /// Cancels the other shards of an action that has failed. Rows that they have committed stay.
    fn cancel(&mut self, tasks: &BTreeSet<TaskId>) {
        let jobs = self.queue.open_jobs().filter_map(|(batch, index, of_job)| {
            let array = self.sent.get(&batch)?.array.as_ref()?;
            of_job.iter().all(|task| tasks.contains(task)).then(|| format!("{array}_{index}"))
        });
        self.unneeded.extend(jobs);
        let batches: BTreeSet<_> = self.queue.open_jobs().map(|(batch, ..)| batch).collect();
        let of_batches = self.sent.iter_mut().filter(|(batch, _)| batches.contains(batch));
        of_batches.for_each(|(_, sent)| sent.may_live = true);
        tasks.iter().for_each(|task| drop(self.forget(*task, None)));
    }
}

fn taken(id: ActionId, action: &RowAction) -> Taken {
    let decl = action.action.stage.decl.clone();
    Taken { id, spec: action.spec.clone(), decl, is_shard: true }
}
