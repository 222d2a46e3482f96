//! Executor on a cluster: writes actions as task specs, submits them as arrays of jobs, and reads the news of the jobs.

mod adopt;
mod batch;
mod calls;
mod check;
mod control;
mod detect;
mod errors;
mod forecast;
mod hear;
mod leased;
mod live;
mod poller;
mod queue;
mod reasons;
mod row_action;
mod row_state;
#[cfg(test)]
pub(in crate::run) mod simulation;
mod site;
mod slurm;
mod slurm_site;
mod submit;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, list};

use super::guard::guarded;
use super::share::Share;
use super::{ActionId, News, Stop, Update};
use crate::declare::{Bytes, ClassDecl, Cpus, ExecutorDecl, Project, ResourcesDecl};
use crate::run::action::Action;
use crate::run::context::Run;
use crate::run::task::JobDir;
pub use check::{ClusterCheck, NodeCheck, answer_check, check_cluster};
pub(in crate::run) use control::note_engine;
pub use control::{
    Cancelled, ClusterJob, DETACHED_VARIABLE, cancel_jobs, cluster_jobs, engine_job, submit_engine,
};
pub use detect::detect_executor;
use errors::copy_of;
pub use forecast::{StageForecast, forecast};
pub(in crate::run) use poller::Known;
use poller::{Order, Poller};
use queue::Shape;
use slurm::Stops;
use slurm_site::SlurmSite;

/// Largest number of tasks at one time: their specs are in memory until they are submitted.
const ROOM: usize = 20_000;

/// A cluster that performs actions of a run.
pub(in crate::run) struct Cluster<'a> {
    decl: &'a ExecutorDecl,
    orders: Sender<Order<'a>>,
    /// Actions that are not over.
    open: Arc<Mutex<BTreeSet<ActionId>>>,
    stops: Arc<Stops>,
}

impl<'a> Cluster<'a> {
    /// Returns an executor that has not submitted anything.
    pub(in crate::run) fn new<'s>(
        run: &'a Run<'a>,
        decl: &'a ExecutorDecl,
        scope: &'s Scope<'s, 'a>,
        news: Sender<News>,
        known: Known<'a>,
    ) -> Self
    where
        'a: 's,
    {
        let (orders, receiver) = channel();
        let (stops, open) = (Arc::<Stops>::default(), Arc::<Mutex<BTreeSet<ActionId>>>::default());
        // `callsheet cancel` asks the engines of runs that have this folder.
        let _ = batch::create_folder(&run.store.run_dir(&run.id).path().join(JobDir::ALL));
        let site = SlurmSite::new(run, scope, decl, news.clone(), stops.clone());
        let of_thread = open.clone();
        scope.spawn(move || {
            let end = |id, error: &Error| {
                let _ = news.send(News::Update(id, Update::Ended(Err(copy_of(error)))));
            };
            let sender = news.clone();
            let ended = guarded(|| {
                Poller::new(site, run.id.clone(), decl, sender, known).work(&receiver);
                Ok(())
            });
            let Err(error) = ended else { return };
            // Without this thread, nobody else would end the actions.
            lock(&of_thread).iter().for_each(|id| end(*id, &error));
            for order in &receiver {
                if let Order::Take(id, ..) = order {
                    end(id, &error);
                }
            }
        });
        Self { decl, orders, open, stops }
    }

    /// Rejects a stage that no class of nodes can serve.
    pub(in crate::run) fn check(&self, stage: &str, wanted: &ResourcesDecl) -> Result<()> {
        shape(self.decl, stage, wanted).map(drop)
    }

    /// Number of actions that can be taken.
    pub(in crate::run) fn room(&self) -> usize {
        ROOM.saturating_sub(lock(&self.open).len())
    }

    /// Resources that an action gets.
    pub(in crate::run) fn share(&self, stage: &str, wanted: &ResourcesDecl) -> Result<Share> {
        let shape = shape(self.decl, stage, wanted)?;
        Ok(Share { cpus: shape.cpus, memory: shape.memory, gpus: Vec::new() })
    }

    /// Takes an action.
    pub(in crate::run) fn take(&mut self, id: ActionId, action: Action<'a>) {
        let stage = &action.stage;
        // Each action was checked before it was offered.
        let Ok(shape) = shape(self.decl, &stage.name, &stage.resources) else { return };
        lock(&self.open).insert(id);
        let _ = self.orders.send(Order::Take(id, shape, Box::new(action)));
    }

    /// Notes that an action is over.
    pub(in crate::run) fn ended(&mut self, id: ActionId) {
        lock(&self.open).remove(&id);
    }

    /// Ends the jobs.
    pub(in crate::run) fn stop(&self, how: Stop) {
        self.stops.fetch_add(1, Ordering::Relaxed);
        let _ = self.orders.send(Order::Stop(how));
    }
}

fn lock(open: &Mutex<BTreeSet<ActionId>>) -> MutexGuard<'_, BTreeSet<ActionId>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Checks that results of an executor's nodes come into the store of the project.
///
/// # Errors
/// Returns an error if the project uses no shared store, or another one than the executor.
pub(in crate::run) fn check_store(decl: &ExecutorDecl, project: &Project) -> Result<()> {
    if project.data.to_string_lossy().contains('\\') {
        return Err(Error::user_error(
            Code::Unsupported,
            format!(
                "Slurm cannot write the output of jobs to {}: the path contains `\\`",
                project.data.display()
            ),
            "move the project to a folder with a plain name",
        ));
    }
    let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    let name = &decl.name;
    let (message, help) = match (&decl.store, &project.store) {
        (None, Some(_)) => return Ok(()),
        (Some(wanted), Some(used)) if real(wanted) == real(used) => return Ok(()),
        (Some(wanted), Some(used)) => (
            format!(
                "executor `{name}` uses the shared store {}, but the project uses {}",
                wanted.display(),
                used.display()
            ),
            "set `store` of the executor to the one of the project, or remove it".to_owned(),
        ),
        (wanted, None) => {
            let folder = wanted.as_ref().map_or("FOLDER".into(), |folder| folder.to_string_lossy());
            (
                format!("executor `{name}` needs a shared store, which its nodes see"),
                format!("run `callsheet store attach {}`", shell_words::quote(&folder)),
            )
        }
    };
    Err(Error::user_error(Code::Conflict, message, help))
}

/// Resources of a job that performs a stage, in the first class that has them.
///
/// # Errors
/// Returns an error that lists the classes if none has them.
fn shape(decl: &ExecutorDecl, stage: &str, wanted: &ResourcesDecl) -> Result<Shape> {
    let fits = |class: &ClassDecl| {
        let cpus = match wanted.cpus {
            Cpus::All => true,
            Cpus::Count(count) => class.cpus.is_none_or(|most| count <= most),
        };
        cpus && wanted.gpus <= class.gpus
            && class.memory.is_none_or(|most| wanted.memory.0 <= most.0)
            && wanted.time.is_none_or(|time| class.time.is_none_or(|most| time <= most))
    };
    let Some(class) = decl.classes.iter().position(fits) else {
        return Err(Error::user_error(
            Code::Resources,
            format!(
                "stage `{stage}` needs {}, but no class of executor `{}` has them",
                needs(wanted),
                decl.name
            ),
            format!("lower the resources of the stage, or add a class; the classes are: {}", classes(decl)),
        ));
    };
    let found = &decl.classes[class];
    let cpus = match wanted.cpus {
        Cpus::All => found.cpus.unwrap_or(1),
        Cpus::Count(count) => count,
    };
    let time = wanted.time.or(found.time).map(|time| time.0);
    Ok(Shape { class, cpus, memory: wanted.memory.0, gpus: wanted.gpus, time })
}

fn needs(wanted: &ResourcesDecl) -> String {
    let cpus = match wanted.cpus {
        Cpus::All => "all CPUs".to_owned(),
        Cpus::Count(count) => format!("{count} CPUs"),
    };
    let memory = (wanted.memory.0 > 0).then(|| format!("{} of memory", wanted.memory));
    let gpus = (wanted.gpus > 0).then(|| format!("{} GPUs", wanted.gpus));
    let time = wanted.time.map(|time| format!("a time of {time}"));
    [Some(cpus), memory, gpus, time].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn classes(decl: &ExecutorDecl) -> String {
    list(decl.classes.iter().map(|class| {
        let of = |limit: Option<String>, what: &str| limit.map(|limit| format!("{limit} {what}"));
        let parts = [
            of(class.cpus.map(|cpus| cpus.to_string()), "CPUs"),
            of(class.memory.map(|Bytes(bytes)| Bytes(bytes).to_string()), "of memory"),
            Some(format!("{} GPUs", class.gpus)),
            of(class.time.map(|time| time.to_string()), "of time"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{} ({})", class.partition.as_deref().unwrap_or("default partition"), parts.join(", "))
    }))
}
