//! Context that all actions of a run share.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use callsheet_worker::error::Result;

use super::owner::claim;
use super::sandbox::{RunSandbox, revision};
use crate::declare::Project;
use crate::plan::{Plan, StageInstance};
use crate::store::{LatestResult, LatestResults, Object, Store};

/// Context that all actions of a run share.
pub(super) struct Run<'a> {
    /// The project.
    pub project: &'a Project,
    /// Store of the results.
    pub store: &'a Store,
    /// The plan.
    pub plan: &'a Plan,
    /// The run's id.
    pub id: String,
    /// Latest results of the target when the run began. Its own results replace them and are shown in `data/out`. `None` if
    /// the run changes neither.
    pub replaces: Option<&'a LatestResults>,
    /// Keeps the work folders of workers that fail.
    pub keep_failed: bool,
    /// The job in which this process performs a part of the run; `None` in the engine that performs all of it.
    pub job: Option<JobContext>,
    pub(super) sandbox: LazySandbox,
}

/// Sandbox of a run's workers, which the first thread that needs it creates.
#[derive(Default)]
pub(super) struct LazySandbox {
    made: OnceLock<RunSandbox>,
    /// Two threads must not wait for the locks of each other.
    creating: Mutex<()>,
}

/// A process that performs a part of a run on a node of a cluster.
pub(super) struct JobContext {
    /// Id of the process: two jobs of a run must not share folders and leases.
    pub id: String,
    /// Git revision of the project when the run began.
    pub revision: Option<String>,
}

impl Run<'_> {
    /// Returns the sandbox of the run's workers; the first call creates it.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub(super) fn sandbox(&self) -> Result<&RunSandbox> {
        let _creating = match self.sandbox.made.get() {
            Some(sandbox) => return Ok(sandbox),
            None => self.sandbox.creating.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if let Some(sandbox) = self.sandbox.made.get() {
            return Ok(sandbox);
        }
        let (project, store) = (self.project, self.store);
        let made = match &self.job {
            None => RunSandbox::new(project, store, &self.id, revision(project))?,
            Some(job) => {
                let mut made = RunSandbox::new(project, store, &job.id, job.revision.clone())?;
                made.is_job = true;
                made
            }
        };
        store.run_dir(&self.id).create_logs()?;
        if let Some(known) = self.replaces {
            claim(self.project, self.store, known)?;
        }
        Ok(self.sandbox.made.get_or_init(|| made))
    }

    pub(super) fn begun(&self) -> Option<&RunSandbox> {
        self.sandbox.made.get()
    }

    /// Returns each artifact of a result with the path of the link that shows it.
    pub(super) fn views<'h>(
        &self,
        stage: &StageInstance,
        head: &'h LatestResult,
    ) -> impl Iterator<Item = (&'h Object, PathBuf)> + 'h {
        let folder = self.plan.request.target.out(&self.project.data).join(&stage.name);
        head.shown_names().map(move |(object, name)| (object, folder.join(name)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::ptr;
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::plan::Request;

    #[test]
    fn two_threads_that_need_the_sandbox_at_one_time_get_the_same_one() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("callsheet.toml"), "").expect("written");
        let project = Project::open(folder.path()).expect("a project");
        let store = Store::of(&project).expect("a store");
        let plan = Plan {
            request: Request::default(),
            summary: String::new(),
            stages: Vec::new(),
            metadata: toml::Table::new(),
        };
        for number in 0..20 {
            let run = Run {
                project: &project,
                store: &store,
                plan: &plan,
                id: "run".to_owned(),
                replaces: None,
                keep_failed: false,
                job: Some(JobContext { id: format!("run-j{number}"), revision: None }),
                sandbox: LazySandbox::default(),
            };
            let (run, barrier) = (&run, &Barrier::new(2));
            let sandbox = || {
                barrier.wait();
                run.sandbox().expect("a sandbox")
            };
            let both = thread::scope(|scope| {
                let threads = [0, 1].map(|_| scope.spawn(sandbox));
                threads.map(|thread| thread.join().expect("no panic"))
            });
            assert!(ptr::eq(both[0], both[1]));
        }
    }
}
