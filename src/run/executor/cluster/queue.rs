//! Tasks on a cluster: those that wait, and the jobs that perform the others. This file does no I/O and reads no clock, so
//! that a simulation can drive it.

use std::collections::BTreeMap;
use std::time::Duration;

/// Time since the run began.
pub(super) type Moment = Duration;

/// Number of a task in this run.
pub(super) type TaskId = u64;

/// Number of a submission in this run.
pub(super) type BatchId = u64;

/// Number of times that a task without progress is submitted again after its job was lost.
const MOST_LOST: u32 = 3;

/// The same for a task with progress: a worker may write new files again and again without an end.
const MOST_LOST_IN_ALL: u32 = 100;

/// Durations of a job for which tasks and rows wait for the end of samples.
pub(super) const LONGEST_SAMPLES: f64 = 4.0;

/// Factor by which a job may be expected to take longer than it should: two halves of a job are not always equal.
const TOLERANCE: f64 = 1.1;

/// Shortest expected duration of a task in seconds: a job looks up and records each of its tasks.
const LEAST: f64 = 0.1;

/// Resources of the jobs of one submission.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::run) struct Shape {
    /// Position of the class among those of the executor.
    pub class: usize,
    pub cpus: usize,
    /// Bytes of memory; 0 for the default of the partition.
    pub memory: u64,
    pub gpus: usize,
    /// Longest duration of a job.
    pub time: Option<Duration>,
}

/// A task that the queue takes.
#[derive(Clone, Debug)]
pub(super) struct NewTask {
    /// Name of the stage, whose tasks take about as long as each other.
    pub stage: String,
    pub shape: Shape,
    /// Expected duration in seconds, if it is known from an earlier run.
    pub seconds: Option<f64>,
    /// True if it is not that of the stage's other tasks.
    pub is_exact: bool,
}

/// A submission: an array of jobs, each with tasks that it performs one after another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Submission {
    pub batch: BatchId,
    pub shape: Shape,
    pub jobs: Vec<Vec<TaskId>>,
}

/// State of a job, as the cluster lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum JobState {
    /// It waits to be started.
    Pending,
    /// It runs, or its processes are being ended.
    Running,
    /// It has ended, or the cluster does not know it any more.
    Ended(JobEnd),
}

impl JobState {
    /// Returns true if the job waits or runs.
    pub(super) fn is_live(self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

/// End of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum JobEnd {
    /// Its script ended, and it is not known that it failed.
    Exited,
    /// Its script failed, and its output says why.
    Failed,
    /// Its node failed.
    NodeFailed,
    /// The cluster killed it in favour of another job.
    Preempted,
    /// Somebody cancelled it.
    Cancelled,
    /// It ran longer than its limit.
    TimedOut,
    /// It used more memory than it had.
    OutOfMemory,
    /// The cluster does not list it.
    Unknown,
}

/// A task whose job ended without news.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LostTask {
    pub task: TaskId,
    /// Its job: the submission, and the position in it.
    pub job: (BatchId, usize),
    pub end: JobEnd,
    /// True if the task was put back, and is submitted again.
    pub again: bool,
}

struct Task {
    stage: String,
    shape: Shape,
    seconds: Option<f64>,
    is_exact: bool,
    /// True if it was submitted to learn the duration of its stage.
    is_sample: bool,
    /// Number of lost jobs since an attempt has made progress.
    times_lost: u32,
    /// Number of lost jobs.
    times_lost_in_all: u32,
    /// Progress from which its latest attempt started.
    progress: u64,
    /// Its job: the submission, and the position in it.
    place: Option<(BatchId, usize)>,
    /// True if it waits to be submitted.
    waits: bool,
}

struct Batch {
    jobs: Vec<Job>,
    /// Number of jobs with tasks that have not ended.
    open: usize,
    /// True if an earlier run submitted it.
    is_adopted: bool,
}

struct Job {
    tasks: Vec<TaskId>,
    /// Time at which the job was first seen ended while tasks of it had no outcome.
    ended: Option<Moment>,
    /// Attempt that has reported that it was asked to end, if no other attempt has reported anything since then.
    stopped: Option<String>,
}

impl Job {
    fn new(tasks: Vec<TaskId>) -> Self {
        Self { tasks, ended: None, stopped: None }
    }
}

/// Jobs that measure the duration of a stage.
struct Samples {
    open: usize,
    /// Time of the first one.
    since: Moment,
}

/// Limits of a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Work of one job in seconds.
    pub job_seconds: f64,
    /// Largest number of jobs of tasks whose duration is unknown.
    pub samples: usize,
    /// Largest number of jobs in one submission.
    pub array: usize,
    /// Time between the end of a job and the moment at which its tasks without outcome count as lost.
    pub grace: Duration,
    /// The same time for a job whose script ended without output: it probably has done its work.
    pub long_grace: Duration,
}

/// Tasks that wait, and jobs that perform the others.
pub(super) struct Queue {
    limits: Limits,
    /// Largest number of jobs that the cluster accepts in one submission now.
    array: usize,
    tasks: BTreeMap<TaskId, Task>,
    waiting: BTreeMap<Shape, Vec<TaskId>>,
    batches: BTreeMap<BatchId, Batch>,
    /// Mean duration of the tasks of a stage that have ended, and their number.
    known: BTreeMap<String, (f64, u32)>,
    /// Jobs of each stage with tasks of unknown duration.
    samples: BTreeMap<String, Samples>,
    next_task: TaskId,
    next_batch: BatchId,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            array: limits.array,
            limits,
            tasks: BTreeMap::new(),
            waiting: BTreeMap::new(),
            batches: BTreeMap::new(),
            known: BTreeMap::new(),
            samples: BTreeMap::new(),
            next_task: 0,
            next_batch: 0,
        }
    }

    /// Adds a task at the end of the queue.
    pub(super) fn add(&mut self, task: NewTask) -> TaskId {
        let id = self.next_task;
        self.next_task += 1;
        self.waiting.entry(task.shape.clone()).or_default().push(id);
        self.insert(id, task, None);
        id
    }

    fn insert(&mut self, id: TaskId, task: NewTask, place: Option<(BatchId, usize)>) {
        let NewTask { stage, shape, seconds, is_exact } = task;
        self.tasks.insert(
            id,
            Task {
                stage,
                shape,
                seconds,
                is_exact,
                is_sample: false,
                times_lost: 0,
                times_lost_in_all: 0,
                progress: 0,
                place,
                waits: place.is_none(),
            },
        );
    }

    /// Adds a submission of an earlier run with this number of jobs, whose tasks are adopted one by one.
    pub(super) fn adopt_batch(&mut self, jobs: usize) -> BatchId {
        let batch = self.next_batch;
        self.next_batch += 1;
        let jobs = (0..jobs).map(|_| Job::new(Vec::new())).collect();
        self.batches.insert(batch, Batch { jobs, open: 0, is_adopted: true });
        batch
    }

    /// Adds a task that a job of an earlier run performs.
    pub(super) fn adopt(&mut self, batch: BatchId, index: usize, task: NewTask) -> TaskId {
        let id = self.next_task;
        self.next_task += 1;
        if let Some(found) = self.batches.get_mut(&batch)
            && let Some(job) = found.jobs.get_mut(index)
        {
            found.open += usize::from(job.tasks.is_empty());
            job.tasks.push(id);
        }
        self.insert(id, task, Some((batch, index)));
        id
    }

    /// Number of tasks that have not ended.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Packs waiting tasks into a submission. Tasks of unknown duration are not packed, and only a sample of them is
    /// submitted: its durations decide how the others are packed. If the sample takes longer than a job should, the others
    /// get a job each.
    pub(super) fn next_submission(&mut self, now: Moment) -> Option<Submission> {
        let shapes: Vec<Shape> = self.waiting.keys().cloned().collect();
        let mut packed = shapes.into_iter().map(|shape| (self.pack(&shape, now), shape));
        let (jobs, shape) = packed.find(|(jobs, _)| !jobs.is_empty())?;
        let batch = self.next_batch;
        self.next_batch += 1;
        for (index, tasks) in jobs.iter().enumerate() {
            for id in tasks {
                let task = self.tasks.get_mut(id).expect("a task that waits");
                (task.place, task.waits) = (Some((batch, index)), false);
            }
        }
        let open = jobs.len();
        let of_batch = jobs.iter().map(|tasks| Job::new(tasks.clone())).collect();
        self.batches.insert(batch, Batch { jobs: of_batch, open, is_adopted: false });
        Some(Submission { batch, shape, jobs })
    }

    /// Takes tasks of one shape for one submission, in their order.
    fn pack(&mut self, shape: &Shape, now: Moment) -> Vec<Vec<TaskId>> {
        let Some(waiting) = self.waiting.remove(shape) else { return Vec::new() };
        // A job must end within its time limit although tasks may take longer than expected.
        let most =
            shape.time.map_or(f64::INFINITY, |time| time.as_secs_f64() / 2.0).min(self.limits.job_seconds);
        let (mut jobs, mut open, mut filled) = (Vec::new(), Vec::new(), 0.0);
        let mut left = Vec::new();
        for id in waiting {
            let task = self.tasks.get_mut(&id).expect("a task that waits");
            let of_others = self.known.get(&task.stage).map(|(mean, _)| *mean);
            let seconds = if task.is_exact { task.seconds.or(of_others) } else { of_others.or(task.seconds) };
            if jobs.len() + usize::from(!open.is_empty()) >= self.array {
                left.push(id);
                continue;
            }
            let Some(seconds) = seconds else {
                let samples =
                    self.samples.entry(task.stage.clone()).or_insert(Samples { open: 0, since: now });
                let age = now.saturating_sub(samples.since).as_secs_f64();
                if samples.open < self.limits.samples || age > LONGEST_SAMPLES * self.limits.job_seconds {
                    samples.open += 1;
                    task.is_sample = true;
                    jobs.push(vec![id]);
                } else {
                    left.push(id);
                }
                continue;
            };
            let seconds = seconds.max(LEAST);
            if !open.is_empty() && filled + seconds > most * TOLERANCE {
                jobs.push(std::mem::take(&mut open));
                filled = 0.0;
                if jobs.len() >= self.array {
                    left.push(id);
                    continue;
                }
            }
            open.push(id);
            filled += seconds;
        }
        if !open.is_empty() {
            jobs.push(open);
        }
        if !left.is_empty() {
            self.waiting.insert(shape.clone(), left);
        }
        jobs
    }

    /// Notes that the cluster has accepted an array of this many jobs: the next one may have twice as many.
    pub(super) fn accepted(&mut self, jobs: usize) {
        self.array = self.array.max(jobs * 2).min(self.limits.array);
    }

    /// Puts back the tasks of a submission with too many jobs: the next one has half as many.
    pub(super) fn too_many(&mut self, batch: BatchId) {
        let jobs = self.batches.get(&batch).map_or(1, |found| found.jobs.len());
        self.array = (jobs / 2).max(1);
        self.refused(batch);
    }

    /// Puts back the tasks of a submission that the cluster did not accept.
    pub(super) fn refused(&mut self, batch: BatchId) {
        let Some(batch) = self.batches.remove(&batch) else { return };
        let tasks: Vec<TaskId> = batch.jobs.into_iter().flat_map(|job| job.tasks).collect();
        for id in tasks.iter().rev() {
            self.put_back(*id);
        }
    }

    /// Puts a task back to the front of the queue.
    pub(super) fn put_back(&mut self, id: TaskId) {
        self.leave(id);
        let Some(task) = self.tasks.get_mut(&id).filter(|task| !task.waits) else { return };
        task.waits = true;
        if std::mem::take(&mut task.is_sample) {
            free_sample(&mut self.samples, &task.stage);
        }
        self.waiting.entry(task.shape.clone()).or_default().insert(0, id);
    }

    /// Notes that an attempt at a job has reported something: that it was asked to end if `is_stopped`.
    pub(super) fn heard(&mut self, (batch, index): (BatchId, usize), attempt: &str, is_stopped: bool) {
        let Some(job) = self.batches.get_mut(&batch).and_then(|found| found.jobs.get_mut(index)) else {
            return;
        };
        if is_stopped {
            job.stopped = Some(attempt.to_owned());
        } else if job.stopped.as_ref().is_some_and(|stopped| stopped != attempt) {
            job.stopped = None;
        }
    }

    /// Returns true if the cluster's last known job of a task is this one.
    pub(super) fn is_in(&self, id: TaskId, job: (BatchId, usize)) -> bool {
        self.tasks.get(&id).is_some_and(|task| task.place == Some(job))
    }

    /// Removes a task that has ended, after this number of seconds if it was computed.
    pub(super) fn ended(&mut self, id: TaskId, seconds: Option<f64>) {
        self.leave(id);
        let Some(task) = self.tasks.remove(&id) else { return };
        if task.waits
            && let Some(waiting) = self.waiting.get_mut(&task.shape)
        {
            waiting.retain(|other| *other != id);
        }
        // A sample without a duration makes room for another one.
        if task.is_sample && seconds.is_none() {
            free_sample(&mut self.samples, &task.stage);
        }
        if let Some(seconds) = seconds {
            let (mean, count) = self.known.entry(task.stage).or_default();
            *count += 1;
            *mean += (seconds - *mean) / f64::from(*count);
        }
    }

    /// Takes a task out of its job, without putting it back.
    pub(super) fn leave(&mut self, id: TaskId) {
        let Some((batch, index)) = self.tasks.get_mut(&id).and_then(|task| task.place.take()) else { return };
        let Some(found) = self.batches.get_mut(&batch) else { return };
        let job = &mut found.jobs[index];
        job.tasks.retain(|other| *other != id);
        if job.tasks.is_empty() {
            found.open -= 1;
            if found.open == 0 && !found.is_adopted {
                self.batches.remove(&batch);
            }
        }
    }

    /// Submissions with tasks that have not ended.
    pub(super) fn batches(&self) -> impl Iterator<Item = BatchId> {
        self.batches.keys().copied()
    }

    /// Jobs with tasks that have not ended.
    pub(super) fn open_jobs(&self) -> impl Iterator<Item = (BatchId, usize, &[TaskId])> {
        self.batches.iter().flat_map(|(batch, found)| {
            let jobs = found.jobs.iter().enumerate().filter(|(_, job)| !job.tasks.is_empty());
            jobs.map(|(index, job)| (*batch, index, job.tasks.as_slice()))
        })
    }

    /// Takes a listing of all jobs. `state` returns the state of a job of a submission; `None` if the submission is so young
    /// that it need not be listed. Returns the tasks that are lost.
    pub(super) fn listed(
        &mut self,
        now: Moment,
        state: impl Fn(BatchId, usize) -> Option<JobState>,
    ) -> Vec<LostTask> {
        let mut lost = Vec::new();
        for (batch, found) in &mut self.batches {
            for (index, job) in found.jobs.iter_mut().enumerate().filter(|(_, job)| !job.tasks.is_empty()) {
                let Limits { grace, long_grace, .. } = self.limits;
                // The news of a job may not be visible here yet, also those of an attempt after the one that was stopped.
                let (end, grace) = match state(*batch, index) {
                    Some(JobState::Ended(JobEnd::Exited | JobEnd::Failed)) if job.stopped.is_some() => {
                        (JobEnd::Cancelled, long_grace)
                    }
                    Some(JobState::Ended(JobEnd::Exited)) => (JobEnd::Exited, long_grace),
                    Some(JobState::Ended(end)) => (end, grace),
                    state => {
                        job.ended = None;
                        if state == Some(JobState::Pending) {
                            job.stopped = None;
                        }
                        continue;
                    }
                };
                if now.saturating_sub(*job.ended.get_or_insert(now)) >= grace {
                    lost.extend(job.tasks.iter().map(|task| (*task, (*batch, index), end)));
                }
            }
        }
        let lost = lost.into_iter().map(|(task, job, end)| self.lose(task, job, end));
        lost.collect()
    }

    /// Takes the start of an attempt at a task, with the progress of earlier ones.
    pub(super) fn started(&mut self, id: TaskId, progress: u64) {
        if let Some(task) = self.tasks.get_mut(&id)
            && progress > task.progress
        {
            task.progress = progress;
            task.times_lost = 0;
        }
    }

    /// Puts a lost task back, unless it was lost too often or its end would repeat.
    fn lose(&mut self, id: TaskId, job: (BatchId, usize), end: JobEnd) -> LostTask {
        let task = self.tasks.get_mut(&id).expect("a task of a job");
        // A job that was killed in favour of another one did nothing wrong.
        let counts = u32::from(end != JobEnd::Preempted);
        task.times_lost += counts;
        task.times_lost_in_all += counts;
        let repeats = match end {
            JobEnd::Failed | JobEnd::Cancelled | JobEnd::OutOfMemory => true,
            // The rows that the shard has computed are in the store.
            JobEnd::Exited => !task.is_exact,
            JobEnd::NodeFailed | JobEnd::Preempted | JobEnd::TimedOut | JobEnd::Unknown => false,
        };
        let again = !repeats && task.times_lost <= MOST_LOST && task.times_lost_in_all <= MOST_LOST_IN_ALL;
        if again {
            self.put_back(id);
        } else {
            self.leave(id);
        }
        LostTask { task: id, job, end, again }
    }
}

/// Makes room for another sample of a stage.
fn free_sample(samples: &mut BTreeMap<String, Samples>, stage: &str) {
    if let Some(samples) = samples.get_mut(stage) {
        samples.open = samples.open.saturating_sub(1);
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
