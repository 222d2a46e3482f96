//! The simulated cluster, as the poller sees it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result};

use super::cluster::Event;
use super::executor::SimulatedSite;
use super::jobs::{JobId, Results, SimulatedArray, SimulatedJob, SimulatedTask, head};
use crate::declare::StageDecl;
use crate::run::action::Action;
use crate::run::executor::cluster::live::{LiveJob, LiveTask};
use crate::run::executor::cluster::queue::{JobEnd, JobState, Moment, Shape};
use crate::run::executor::cluster::row_state::{Done, RowAction};
use crate::run::executor::cluster::site::{JobNews, OtherWork, ReadNews, Site};
use crate::run::executor::cluster::slurm::{End, Listed, Refusal};
use crate::run::executor::{ActionId, News, Outcome, Update};
use crate::run::rows::{Planned, RowPlan};
use crate::run::task::{JobDir, Task, TaskSpec};
use crate::store::LockName;

/// Time for which the cluster lists a job that has ended.
const LISTED: Duration = Duration::from_secs(300);

/// Time that the listing of a folder takes.
const FOLDER: Duration = Duration::from_millis(1);

/// Fraction of the rows of a stage that the store has before the run.
const PRESENT: f64 = 0.1;

impl<'a> Site<'a> for SimulatedSite<'a> {
    fn now(&self) -> Moment {
        self.cluster.now
    }

    fn submit(
        &mut self,
        name: &str,
        _shape: &Shape,
        jobs: &[Vec<Task>],
    ) -> Result<(JobDir, Result<String, Refusal>)> {
        let dir = JobDir(PathBuf::from(name));
        if self.cluster.random.chance(self.cluster.faults.unwritable) {
            for task in jobs.iter().flatten() {
                self.cluster.results.failed.insert(self.positions[task.action.stage_name()]);
            }
            return Err(Error::user_error(Code::Io, "simulated: the disk is full", ""));
        }
        let cluster = &mut self.cluster;
        cluster.calls.push(cluster.now);
        let live = cluster.jobs.iter().filter(|job| job.state.is_live()).count();
        if live + jobs.len() > cluster.faults.most_jobs {
            return Ok((dir, Err(Refusal::TooMany("QOSMaxSubmitJobPerUserLimit".to_owned()))));
        }
        let is_lost = cluster.random.chance(cluster.faults.lost_answer);
        let answer = Refusal::Later("Socket timed out".to_owned());
        if is_lost && cluster.random.chance(0.5) {
            return Ok((dir, Err(answer)));
        }
        let (id, first) = (cluster.arrays.len().to_string(), cluster.jobs.len());
        for (index, tasks) in jobs.iter().enumerate() {
            let tasks = tasks.iter().map(|task| self.task(task)).collect();
            let job = SimulatedJob::new(name, index, tasks);
            self.cluster.jobs.push(job);
        }
        let range = first..self.cluster.jobs.len();
        self.cluster.arrays.insert(name.to_owned(), SimulatedArray::new(id.clone(), range.clone()));
        for job in range {
            let delay = self.cluster.random.seconds(0.0, self.cluster.faults.queue);
            self.cluster.wait(job, delay);
        }
        Ok((dir, if is_lost { Err(answer) } else { Ok(id) }))
    }

    fn list(&mut self, names: &[String]) -> Result<Option<Vec<Listed>>> {
        let cluster = &mut self.cluster;
        cluster.calls.push(cluster.now);
        if cluster.random.chance(cluster.faults.no_listing) {
            return Ok(None);
        }
        if !cluster.random.chance(cluster.faults.stale_listing) {
            let arrays = cluster.arrays.values().filter(|array| !array.is_closed);
            let jobs = arrays.flat_map(|array| array.jobs.clone().map(|job| (job, array.id.clone())));
            let is_listed = |job: &SimulatedJob| {
                !job.is_forgotten && (job.state.is_live() || cluster.now < job.ended + LISTED)
            };
            let listed = jobs.map(|(job, array)| (&cluster.jobs[job], array));
            let listed = listed.filter(|(job, _)| is_listed(job)).map(|(job, array)| Listed {
                name: job.name.clone(),
                array,
                index: Some(job.index),
                state: job.state,
                reason: "Resources".to_owned(),
            });
            cluster.listing = listed.collect();
        }
        let names: BTreeSet<&String> = names.iter().collect();
        Ok(Some(cluster.listing.iter().filter(|job| names.contains(&job.name)).cloned().collect()))
    }

    fn end(&mut self, arrays: &[String], how: End) -> Result<()> {
        (0..how.calls()).for_each(|_| self.cluster.calls.push(self.cluster.now));
        if self.cluster.random.chance(self.cluster.faults.lost_end) {
            return Ok(());
        }
        for name in arrays {
            let (id, index) = match name.split_once('_') {
                Some((id, index)) => (id, index.parse::<usize>().ok()),
                None => (name.as_str(), None),
            };
            let array = self.cluster.arrays.values().find(|array| array.id == id).expect("an array");
            let jobs: Vec<JobId> = match index {
                Some(index) => vec![array.jobs.start + index],
                None => array.jobs.clone().collect(),
            };
            jobs.into_iter().for_each(|job| self.end_job(job, how));
        }
        Ok(())
    }

    fn discard(&mut self, _dir: &JobDir) {}

    fn news(&mut self, dir: &JobDir, _read: &mut ReadNews) -> Vec<JobNews> {
        self.cluster.now += FOLDER;
        let now = self.cluster.now;
        let name = dir.0.to_string_lossy().into_owned();
        let Some(array) = self.cluster.arrays.get_mut(&name) else { return Vec::new() };
        let late = array.news.split_off(&(now, u64::MAX));
        let news = std::mem::replace(&mut array.news, late);
        let news = news.into_values();
        news.map(|(index, attempt, news)| JobNews { index, attempt: attempt.to_string(), news: vec![news] })
            .collect()
    }

    fn has_output(&self, _dir: &JobDir, index: usize) -> bool {
        (index % 10) as f64 / 10.0 < self.cluster.faults.output
    }

    fn close(&mut self, dir: &JobDir) {
        if let Some(array) = self.cluster.arrays.get_mut(&*dir.0.to_string_lossy()) {
            array.is_closed = true;
        }
    }

    fn live(&mut self) -> Result<Option<Vec<LiveJob>>> {
        let cluster = &mut self.cluster;
        if cluster.arrays.is_empty() {
            return Ok(Some(Vec::new()));
        }
        cluster.calls.push(cluster.now);
        if cluster.random.chance(cluster.faults.no_listing) {
            return Ok(None);
        }
        let open = cluster.arrays.iter().filter(|(_, array)| !array.is_closed);
        let jobs = open.flat_map(|(name, array)| array.jobs.clone().map(move |job| (name, array, job)));
        let live = jobs.filter(|(.., job)| cluster.jobs[*job].state.is_live()).map(|(name, array, job)| {
            let job = &cluster.jobs[job];
            let open = job.tasks.iter().enumerate().filter(|(at, _)| !job.over.contains(at));
            LiveJob {
                name: name.clone(),
                dir: JobDir(PathBuf::from(name)),
                array: array.id.clone(),
                index: job.index,
                of: array.jobs.len(),
                tasks: open.map(|(at, task)| (at, live_task(task))).collect(),
            }
        });
        Ok(Some(live.collect()))
    }

    fn other_work(&mut self, spec: &TaskSpec, _decl: &StageDecl) -> Result<OtherWork> {
        let results = &self.cluster.results;
        let key = spec.key.digest();
        if let Some(head) = results.heads.get(&key) {
            return Ok(OtherWork::Done(head.clone()));
        }
        let holder = results.leases.get(&key).filter(|holder| self.cluster.is_held(**holder));
        Ok(holder.map_or(OtherWork::Free, |holder| OtherWork::Held(format!("job {holder}"))))
    }

    fn is_cancelled(&mut self) -> bool {
        false
    }

    fn plan_rows(&mut self, id: ActionId, shape: Shape, action: Box<Action<'a>>, sender: Sender<Done<'a>>) {
        let (count, random) = (self.rows, &mut self.cluster.random);
        let rows = self
            .cluster
            .results
            .rows
            .entry(id)
            .or_insert_with(|| (0..count).map(|_| u8::from(random.chance(PRESENT))).collect());
        let inputs = (0..count).map(|row| Results::input(id, row)).collect();
        let missing = (0..count).filter(|row| rows[*row] == 0).collect();
        // Simulations at one time share a store.
        let name: Digest = blake3::hash(format!("{} {id}", self.run.id).as_bytes()).into();
        let claim =
            self.run.store.claim_work(&LockName::Rows(&name), &self.run.id, |_| false).expect("a store");
        let plan = RowPlan::simulated(inputs, missing, claim.expect("a free pool"));
        let _ = sender.send(Done::Planned(id, shape, action, Ok(Planned::Rows(Box::new(plan)))));
    }

    fn assemble(&mut self, id: ActionId, action: RowAction<'a>, sender: Sender<Done<'a>>) {
        let rows = &self.cluster.results.rows[&id];
        self.unfinished += rows.iter().filter(|count| **count == 0).count();
        let key = action.action.key.digest();
        let head = head(key, &action.action.stage.decl, 0.0);
        self.cluster.results.heads.insert(key, head.clone());
        let _ = self.news.send(News::Update(id, Update::Ended(Ok(Outcome::ActionOutput(head)))));
        let _ = sender.send(Done::Assembled);
    }
}

impl SimulatedSite<'_> {
    fn task(&self, task: &Task) -> SimulatedTask {
        let stage = self.positions[task.action.stage_name()];
        SimulatedTask { stage, key: task.action.key.digest(), shard: task.shard.clone() }
    }

    fn end_job(&mut self, job: JobId, how: End) {
        let cluster = &mut self.cluster;
        match (cluster.jobs[job].state, how) {
            (JobState::Ended(_), _) => {}
            (JobState::Pending, _) => cluster.end_job(job, JobEnd::Cancelled),
            (JobState::Running, End::Now) => {
                if let Some(attempt) = cluster.jobs[job].attempt {
                    cluster.die(attempt);
                }
                cluster.end_job(job, JobEnd::Cancelled);
            }
            (JobState::Running, End::Clean) => {
                let Some(attempt) = cluster.jobs[job].attempt else { return };
                // A job that has just started may not get the signal.
                if !cluster.attempts[attempt].is_asked && cluster.random.chance(0.9) {
                    cluster.attempts[attempt].is_asked = true;
                    let at = cluster.now + cluster.random.seconds(0.0, 10.0);
                    cluster.at(at, Event::Asked(attempt));
                }
            }
        }
    }
}

fn live_task(task: &SimulatedTask) -> LiveTask {
    LiveTask {
        key: task.key,
        rows: task.shard.as_ref().map(|shard| shard.inputs().to_vec()),
        sample: task.shard.as_ref().and_then(|shard| shard.sample),
    }
}
