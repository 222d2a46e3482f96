//! A simulated cluster in virtual time: its queue and nodes, and the tasks that jobs perform on them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::error::Error;

use super::jobs::{Attempt, AttemptId, JobId, Part, Results, SimulatedArray, SimulatedJob, head};
use super::random::{Faults, Random};
use crate::declare::StageDecl;
use crate::plan::StageInstance;
use crate::run::executor::cluster::queue::{JobEnd, JobState, Moment};
use crate::run::executor::cluster::slurm::Listed;
use crate::run::rows::{Parts, ShardPart};
use crate::run::task::{TaskEnd, TaskError, TaskNews, TaskUpdate};

/// Time between two looks of the cluster at its queue.
const PASS: Duration = Duration::from_secs(3);

/// Time between the death of an attempt and the end of its lease.
const EXPIRY: Duration = Duration::from_secs(30);

/// Time for which a file may stay invisible: NFS caches names for up to a minute.
const STALE: f64 = 60.0;

/// Seconds of a worker without rows.
const START: f64 = 2.0;

/// Something that happens at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The cluster looks at its queue.
    Pass,
    /// An attempt has computed a task or a part of a shard.
    Step(AttemptId),
    /// An attempt ends because the user has asked for it.
    Asked(AttemptId),
    Fault(AttemptId, Fault),
    /// The cluster notices that an attempt has died.
    Noticed(AttemptId),
    /// A node is repaired.
    NodeUp(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    NodeFails,
    Preempted,
    LosesContact,
    Forgotten,
}

/// A cluster in virtual time.
pub(in crate::run) struct SimulatedCluster {
    decls: Vec<Arc<StageDecl>>,
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) now: Moment,
    pub(super) arrays: BTreeMap<String, SimulatedArray>,
    pub(super) jobs: Vec<SimulatedJob>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) results: Results,
    pub(super) listing: Vec<Listed>,
    /// Times of the calls of the cluster's programs.
    pub(super) calls: Vec<Moment>,
    pub(super) pending: BTreeSet<JobId>,
    pub(super) max_jobs: usize,
    free: Vec<usize>,
    events: BinaryHeap<Reverse<(Moment, u64, Event)>>,
    number: u64,
    has_pass: bool,
}

impl SimulatedCluster {
    pub(in crate::run) fn new(
        stages: &[StageInstance],
        nodes: usize,
        max_jobs: usize,
        mut random: Random,
    ) -> Self {
        let faults = Faults::draw(&mut random);
        Self {
            decls: stages.iter().map(|stage| stage.decl.clone()).collect(),
            random,
            faults,
            now: Moment::ZERO,
            arrays: BTreeMap::new(),
            jobs: Vec::new(),
            attempts: Vec::new(),
            results: Results::default(),
            listing: Vec::new(),
            calls: Vec::new(),
            pending: BTreeSet::new(),
            max_jobs,
            free: (0..nodes).collect(),
            events: BinaryHeap::new(),
            number: 0,
            has_pass: false,
        }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(Reverse((at, _, event))) = self.events.peek().copied().filter(|next| next.0.0 <= until)
        {
            self.events.pop();
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = until;
    }

    pub(super) fn at(&mut self, moment: Moment, event: Event) {
        self.number += 1;
        self.events.push(Reverse((moment, self.number, event)));
    }

    /// Adds a job to the cluster's queue.
    pub(super) fn wait(&mut self, job: JobId, delay: Duration) {
        self.jobs[job].state = JobState::Pending;
        self.jobs[job].attempt = None;
        self.jobs[job].ready = self.now + delay;
        self.pending.insert(job);
        if !std::mem::replace(&mut self.has_pass, true) {
            self.at(self.now + PASS, Event::Pass);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Pass => self.pass(),
            Event::Step(attempt) if self.attempts[attempt].is_alive => self.step(attempt),
            Event::Asked(attempt) if self.attempts[attempt].is_alive => self.end_early(attempt),
            Event::Fault(attempt, fault) if self.attempts[attempt].is_alive => self.fail(attempt, fault),
            Event::Step(_) | Event::Asked(_) | Event::Fault(..) => {}
            Event::Noticed(attempt) => self.notice(attempt),
            Event::NodeUp(node) => self.free.push(node),
        }
    }

    /// Starts jobs on free nodes.
    fn pass(&mut self) {
        let mut started = Vec::new();
        for job in &self.pending {
            if started.len() == self.free.len() {
                break;
            }
            let array = self.arrays.get_mut(&self.jobs[*job].name).expect("a submission");
            if self.jobs[*job].ready <= self.now && array.running < self.max_jobs {
                array.running += 1;
                started.push(*job);
            }
        }
        for job in started {
            self.pending.remove(&job);
            self.start(job);
        }
        self.has_pass = !self.pending.is_empty();
        if self.has_pass {
            self.at(self.now + PASS, Event::Pass);
        }
    }

    fn start(&mut self, job: JobId) {
        let (attempt, now, faults) = (self.attempts.len(), self.now, self.faults);
        let node = self.free.pop().expect("a free node");
        self.attempts.push(Attempt {
            job,
            node,
            is_alive: true,
            died: now,
            visible: now,
            task: 0,
            part: None,
            is_asked: false,
        });
        self.jobs[job].state = JobState::Running;
        self.jobs[job].attempt = Some(attempt);
        let kinds = [
            (faults.node, Fault::NodeFails),
            (faults.preemption, Fault::Preempted),
            (faults.lost_contact, Fault::LosesContact),
            (faults.forgotten, Fault::Forgotten),
        ];
        for (probability, fault) in kinds {
            if self.random.chance(probability) {
                let at = now + self.random.seconds(0.0, 300.0);
                self.at(at, Event::Fault(attempt, fault));
            }
        }
        self.go_on(attempt);
    }

    /// Begins the next task of an attempt.
    fn go_on(&mut self, attempt: AttemptId) {
        let job = &self.jobs[self.attempts[attempt].job];
        let Some(task) = (0..job.tasks.len()).find(|task| !job.over.contains(task)) else {
            return self.finish(attempt);
        };
        let (key, is_shard) = (job.tasks[task].key, job.tasks[task].shard.is_some());
        self.attempts[attempt].task = task;
        if is_shard {
            return self.begin_shard(attempt);
        }
        if let Some(head) = self.results.heads.get(&key).cloned() {
            return self.end_task(attempt, TaskEnd::Taken(head));
        }
        let holder = self.results.leases.get(&key).copied().filter(|holder| self.is_held(*holder));
        if let Some(holder) = holder
            && !self.random.chance(self.faults.unseen_lease)
        {
            return self.end_task(attempt, TaskEnd::Leased(format!("job {holder}")));
        }
        self.results.leases.insert(key, attempt);
        self.write(attempt, TaskUpdate::Started(0));
        let seconds = self.duration(attempt);
        self.at(self.now + Duration::from_secs_f64(seconds), Event::Step(attempt));
    }

    /// Returns true if the holder of a lease works or may work.
    pub(super) fn is_held(&self, holder: AttemptId) -> bool {
        let holder = &self.attempts[holder];
        holder.is_alive || self.now < holder.died + EXPIRY
    }

    /// Seconds of a whole action, or of each row of a row-wise one; equal at each attempt.
    fn duration(&mut self, attempt: AttemptId) -> f64 {
        let attempt = &self.attempts[attempt];
        let task = &self.jobs[attempt.job].tasks[attempt.task];
        let part = (task.stage as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let of_stage = part as f64 / (1u64 << 24) as f64;
        if task.shard.is_some() { 0.5 + 1.5 * of_stage } else { 1.0 + 119.0 * of_stage }
    }

    fn begin_shard(&mut self, attempt: AttemptId) {
        let (job, task) = (self.attempts[attempt].job, self.attempts[attempt].task);
        let task = &self.jobs[job].tasks[task];
        let shard = task.shard.as_ref().expect("a shard");
        let rows = self.results.rows.get(&task.stage).expect("planned");
        let inputs = shard.inputs().iter().enumerate();
        let missing: Vec<usize> =
            inputs.filter(|(_, input)| rows[Results::row(input)] == 0).map(|(at, _)| at).collect();
        let (parts, len) = (Parts::new(shard), shard.len());
        if missing.is_empty() {
            let part = ShardPart { done: len, computed: 0, segments: Vec::new(), peak_memory: 0, rate: None };
            self.write(attempt, TaskUpdate::Part(part));
            return self.end_task(attempt, TaskEnd::Shard);
        }
        self.write(attempt, TaskUpdate::Started((len - missing.len()) as u64));
        let began = self.now;
        self.attempts[attempt].part = Some(Part { parts, missing, at: 0, next: 0, began, part_began: began });
        self.next_part(attempt);
    }

    fn next_part(&mut self, attempt: AttemptId) {
        let row = self.duration(attempt);
        let part = self.attempts[attempt].part.as_mut().expect("a shard");
        let (left, elapsed) = (part.missing.len() - part.at, self.now.saturating_sub(part.began));
        if left == 0 || part.parts.is_over(left, elapsed) {
            return self.end_task(attempt, TaskEnd::Shard);
        }
        part.next = part.parts.next(left, elapsed);
        part.part_began = self.now;
        let seconds = START + row * part.next as f64;
        self.at(self.now + Duration::from_secs_f64(seconds), Event::Step(attempt));
    }

    /// Ends a task, or a part of a shard.
    fn step(&mut self, attempt: AttemptId) {
        let of = &self.attempts[attempt];
        let task = &self.jobs[of.job].tasks[of.task];
        let (stage, key, is_shard) = (task.stage, task.key, task.shard.is_some());
        if self.random.chance(self.faults.failure) {
            self.results.failed.insert(stage);
            let error = Error::user_error(Code::WorkerFailed, "simulated", "");
            return self.end_task(attempt, TaskEnd::Failed(TaskError::from(&error)));
        }
        if is_shard {
            return self.end_part(attempt);
        }
        self.results.again += usize::from(self.results.heads.contains_key(&key));
        let (decl, seconds) = (self.decls[stage].clone(), self.duration(attempt));
        let head = self.results.heads.entry(key).or_insert_with(|| head(key, &decl, seconds)).clone();
        self.end_task(attempt, TaskEnd::Computed(head));
    }

    fn end_part(&mut self, attempt: AttemptId) {
        let of = &mut self.attempts[attempt];
        let task = &self.jobs[of.job].tasks[of.task];
        let (shard, part) = (task.shard.as_ref().expect("a shard"), of.part.as_mut().expect("a part"));
        let rows = self.results.rows.get_mut(&task.stage).expect("planned");
        for at in &part.missing[part.at..part.at + part.next] {
            let count = &mut rows[Results::row(&shard.inputs()[*at])];
            *count = count.saturating_add(1);
        }
        part.at += part.next;
        part.parts.took(part.next, self.now.saturating_sub(part.part_began));
        let news = ShardPart {
            done: part.missing.get(part.at).copied().unwrap_or(shard.len()),
            computed: part.next as u64,
            segments: Vec::new(),
            peak_memory: 0,
            rate: part.parts.rate(),
        };
        self.write(attempt, TaskUpdate::Part(news));
        self.next_part(attempt);
    }

    fn end_task(&mut self, attempt: AttemptId, end: TaskEnd) {
        self.write(attempt, TaskUpdate::Ended(end));
        let of = &mut self.attempts[attempt];
        of.part = None;
        let (job, task) = (of.job, of.task);
        let key = self.jobs[job].tasks[task].key;
        if self.results.leases.get(&key) == Some(&attempt) {
            self.results.leases.remove(&key);
        }
        self.jobs[job].over.insert(task);
        self.go_on(attempt);
    }

    /// Ends an attempt that the user has asked to end.
    fn end_early(&mut self, attempt: AttemptId) {
        self.write_stops(attempt);
        self.finish(attempt);
    }

    fn write_stops(&mut self, attempt: AttemptId) {
        let job = self.attempts[attempt].job;
        for task in 0..self.jobs[job].tasks.len() {
            if !self.jobs[job].over.contains(&task) {
                self.attempts[attempt].task = task;
                self.write(attempt, TaskUpdate::Ended(TaskEnd::Stopped));
            }
        }
    }

    /// Ends an attempt whose tasks are over.
    fn finish(&mut self, attempt: AttemptId) {
        self.die(attempt);
        self.free.push(self.attempts[attempt].node);
        let job = self.attempts[attempt].job;
        if self.jobs[job].attempt == Some(attempt) {
            self.end_job(job, JobEnd::Exited);
        }
    }

    pub(super) fn die(&mut self, attempt: AttemptId) {
        let of = &mut self.attempts[attempt];
        (of.is_alive, of.died, of.part) = (false, self.now, None);
    }

    pub(super) fn end_job(&mut self, job: JobId, end: JobEnd) {
        let found = &mut self.jobs[job];
        if found.state == JobState::Running {
            self.arrays.get_mut(&found.name).expect("a submission").running -= 1;
        }
        (found.state, found.ended) = (JobState::Ended(end), self.now);
        self.pending.remove(&job);
    }

    fn fail(&mut self, attempt: AttemptId, fault: Fault) {
        let (job, node) = (self.attempts[attempt].job, self.attempts[attempt].node);
        if self.jobs[job].attempt != Some(attempt) {
            // The cluster does not know this attempt any more.
            return;
        }
        match fault {
            Fault::NodeFails => {
                self.die(attempt);
                let repaired = self.now + self.random.seconds(600.0, 3600.0);
                self.at(repaired, Event::NodeUp(node));
                let noticed = self.now + self.random.seconds(0.0, 300.0);
                self.at(noticed, Event::Noticed(attempt));
            }
            Fault::Preempted => {
                // The cluster asks a job to end before it kills it.
                if self.random.chance(0.5) {
                    self.write_stops(attempt);
                }
                self.die(attempt);
                self.free.push(node);
                self.notice(attempt);
            }
            Fault::LosesContact => {
                let noticed = self.now + self.random.seconds(60.0, 300.0);
                self.at(noticed, Event::Noticed(attempt));
            }
            Fault::Forgotten => {
                self.die(attempt);
                self.free.push(node);
                self.lose(job);
                self.end_job(job, JobEnd::Unknown);
                self.jobs[job].is_forgotten = true;
            }
        }
    }

    /// The cluster believes that an attempt has died: it starts the job again, or ends it.
    fn notice(&mut self, attempt: AttemptId) {
        let job = self.attempts[attempt].job;
        if self.jobs[job].attempt != Some(attempt) || self.jobs[job].state != JobState::Running {
            return;
        }
        if self.random.chance(self.faults.no_requeue) {
            self.lose(job);
            return self.end_job(job, JobEnd::NodeFailed);
        }
        self.end_job(job, JobEnd::NodeFailed);
        let delay = self.random.seconds(5.0, 120.0);
        self.wait(job, delay);
    }

    /// Notes that the tasks of a job must be submitted again.
    fn lose(&mut self, job: JobId) {
        for task in &self.jobs[job].tasks {
            *self.results.lost.entry(task.stage).or_default() += 1;
        }
    }

    /// Writes news of the present task of an attempt, which become visible later.
    fn write(&mut self, attempt: AttemptId, update: TaskUpdate) {
        let is_late = self.random.chance(self.faults.stale_file);
        let delay = self.random.seconds(0.0, if is_late { STALE } else { 3.0 });
        let of = &mut self.attempts[attempt];
        of.visible = of.visible.max(self.now + delay);
        let job = &self.jobs[of.job];
        let array = self.arrays.get_mut(&job.name).expect("a submission");
        self.number += 1;
        array
            .news
            .insert((of.visible, self.number), (job.index, attempt, TaskNews { task: of.task, update }));
    }
}

/// Work of a simulated cluster.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Work {
    /// Virtual time.
    pub time: Duration,
    /// Calls of the cluster's programs: in total, and in the busiest minute.
    pub calls: usize,
    pub most_calls: usize,
    /// Jobs that were submitted, and attempts at them.
    pub jobs: usize,
    pub attempts: usize,
    /// Actions and rows that were computed although they were recorded.
    pub actions_again: usize,
    pub rows_again: usize,
}

impl SimulatedCluster {
    pub(in crate::run) fn work(&self) -> Work {
        let minute = Duration::from_secs(60);
        let in_minute = |at: &Moment| {
            let from = self.calls.partition_point(|call| call < at);
            self.calls.partition_point(|call| *call < *at + minute) - from
        };
        let rows = self.results.rows.values().flatten();
        Work {
            time: self.now,
            calls: self.calls.len(),
            most_calls: self.calls.iter().map(in_minute).max().unwrap_or_default(),
            jobs: self.jobs.len(),
            attempts: self.attempts.len(),
            actions_again: self.results.again,
            rows_again: rows.map(|count| usize::from(count.saturating_sub(1))).sum(),
        }
    }

    /// Lets tasks fail by themselves, and files of submissions be unwritable.
    pub(in crate::run) fn let_fail(&mut self) {
        (self.faults.failure, self.faults.unwritable) = (0.001, 0.02);
    }

    /// Lets time pass after a run that the user has stopped. Returns the number of jobs that wait or run although the engine
    /// could end them.
    pub(in crate::run) fn left_after_stop(&mut self) -> usize {
        self.advance(Duration::from_secs(600));
        let is_known = self.faults.lost_answer == 0.0 && self.faults.lost_end == 0.0;
        if is_known { self.jobs.iter().filter(|job| job.state.is_live()).count() } else { 0 }
    }

    /// Returns true if a stage may have failed: one of its tasks failed by itself or was lost again and again.
    pub(in crate::run) fn may_fail(&self, stage: usize) -> bool {
        self.results.failed.contains(&stage) || self.results.lost.get(&stage).is_some_and(|times| *times > 3)
    }
}
