//! Executor that performs the actions of a run on a simulated cluster, in virtual time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use callsheet_worker::error::Result;

use super::cluster::SimulatedCluster;
use crate::declare::{ClassDecl, ExecutorDecl, ExecutorKind, ResourcesDecl};
use crate::run::context::Run;
use crate::run::executor::cluster::poller::{Known, Order, Poller};
use crate::run::executor::cluster::queue::Moment;
use crate::run::executor::cluster::shape;
use crate::run::executor::share::Share;
use crate::run::executor::{ActionId, Executor, News, Outcome, ReadyQueue, Stop, Update};

/// Virtual time after which a run that has not ended never does.
const NEVER: Duration = Duration::from_hours(48);

/// Simulated cluster and store, as a poller sees them.
pub(in crate::run) struct SimulatedSite<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) cluster: SimulatedCluster,
    pub(super) news: Sender<News>,
    /// Positions of stages by name.
    pub(super) positions: BTreeMap<&'a str, usize>,
    /// Number of rows of each row-wise action.
    pub(super) rows: usize,
    /// Number of rows that were missing when tables were assembled.
    pub(super) unfinished: usize,
}

/// Incidents and costs of a simulated run.
#[derive(Default)]
pub(in crate::run) struct Report {
    /// Number of ends of each action.
    pub ends: BTreeMap<ActionId, u32>,
    /// Largest numbers of tasks and of submissions at one time.
    pub most_tasks: usize,
    pub most_sent: usize,
    /// Largest number of entries that the poller had for each action that was not over and for each of its tasks.
    pub most_entries: f64,
    /// Number of entries that the poller still has at the end.
    pub left: usize,
    /// Rows that were missing when tables were assembled.
    pub unfinished: usize,
    /// The cluster after the run.
    pub cluster: Option<SimulatedCluster>,
}

/// Events of a simulated run that do not come from the cluster.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Incidents {
    /// Times at which the user stops the run: the second one kills its jobs.
    pub interrupts: [Option<Moment>; 2],
    /// Time at which the engine is killed.
    pub kill: Option<Moment>,
}

/// Executor in virtual time.
pub(in crate::run) struct SimulatedExecutor<'a> {
    /// Taken away at the end.
    poller: Option<Poller<'a, SimulatedSite<'a>>>,
    receiver: Receiver<News>,
    decl: &'a ExecutorDecl,
    incidents: Incidents,
    report: Rc<RefCell<Report>>,
    /// Number of actions that are not over.
    open: usize,
}

/// Executor of simulations.
pub(in crate::run) fn lab(max_jobs: u32) -> ExecutorDecl {
    ExecutorDecl {
        name: "lab".to_owned(),
        kind: ExecutorKind::Slurm,
        store: None,
        account: None,
        qos: None,
        setup: Vec::new(),
        wrap: Vec::new(),
        options: Vec::new(),
        program: None,
        max_jobs,
        job_time: Duration::from_secs(300),
        classes: vec![ClassDecl::default()],
    }
}

impl<'a> SimulatedExecutor<'a> {
    pub(in crate::run) fn new(
        run: &'a Run<'a>,
        decl: &'a ExecutorDecl,
        known: Known<'a>,
        cluster: SimulatedCluster,
        rows: usize,
        incidents: Incidents,
        report: Rc<RefCell<Report>>,
    ) -> Self {
        let (sender, receiver) = channel();
        let names = run.plan.stages.iter().enumerate();
        let positions = names.map(|(position, stage)| (stage.name.as_str(), position)).collect();
        let site = SimulatedSite { run, cluster, news: sender.clone(), positions, rows, unfinished: 0 };
        let poller = Poller::new(site, run.id.clone(), decl, sender, known);
        Self { poller: Some(poller), receiver, decl, incidents, report, open: 0 }
    }

    fn poller(&mut self) -> &mut Poller<'a, SimulatedSite<'a>> {
        self.poller.as_mut().expect("a poller until the end")
    }

    /// Lets time pass until the poller looks again.
    fn look(&mut self) {
        let poller = self.poller();
        poller.site.cluster.advance(poller.pause);
        poller.look();
        let (tasks, sent, entries) = (poller.tasks.len(), poller.sent.len(), poller.entries());
        let mut report = self.report.borrow_mut();
        let open = (self.open + tasks).max(100);
        report.most_entries = report.most_entries.max(entries as f64 / open as f64);
        report.most_tasks = report.most_tasks.max(tasks);
        report.most_sent = report.most_sent.max(sent);
    }
}

impl<'a> Executor<'a> for SimulatedExecutor<'a> {
    fn class(&self, stage: &str, wanted: &ResourcesDecl) -> Result<()> {
        shape(self.decl, stage, wanted).map(drop)
    }

    fn offer(&mut self, ready: &mut ReadyQueue<'_, 'a>) -> Result<()> {
        for (at, wanted) in ready.waiting() {
            let shape = shape(self.decl, "", wanted)?;
            let Some(action) = ready.take(at, Share::default()) else { continue };
            self.open += 1;
            let poller = self.poller();
            // A run that was killed may have recorded the result.
            match poller.site.cluster.results.heads.get(&action.key.digest()) {
                Some(head) => {
                    let outcome = Ok(Outcome::Taken(head.clone()));
                    let _ = poller.site.news.send(News::Update(at.1, Update::Ended(outcome)));
                }
                None => poller.obey(Order::Take(at.1, shape, Box::new(action))),
            }
        }
        Ok(())
    }

    fn next(&mut self, timeout: Option<Duration>) -> Option<News> {
        loop {
            let now = self.poller().site.cluster.now;
            if self.incidents.kill.is_some_and(|at| at <= now) {
                return None;
            }
            let due = |at: &&mut Option<Moment>| at.is_some_and(|at| at <= now);
            if let Some(interrupt) = self.incidents.interrupts.iter_mut().find(due) {
                *interrupt = None;
                return Some(News::Interrupt);
            }
            if let Ok(news) = self.receiver.try_recv() {
                if let News::Update(id, Update::Ended(_)) = &news {
                    self.open -= 1;
                    *self.report.borrow_mut().ends.entry(*id).or_default() += 1;
                }
                return Some(news);
            }
            if timeout.is_some() {
                return None;
            }
            let poller = self.poller();
            let (tasks, placed) = (poller.tasks.len(), poller.queue.open_jobs().count());
            assert!(now < NEVER, "run {} does not end: {tasks} tasks are left in {placed} jobs", poller.run);
            self.look();
        }
    }

    fn release(&mut self, _action: ActionId) {}

    fn stop(&mut self, how: Stop) {
        self.poller().obey(Order::Stop(how));
    }
}

impl Drop for SimulatedExecutor<'_> {
    fn drop(&mut self) {
        let mut poller = self.poller.take().expect("a poller until the end");
        if self.incidents.kill.is_none() {
            poller.close();
        }
        let mut report = self.report.borrow_mut();
        report.left = poller.entries();
        report.unfinished = poller.site.unfinished;
        report.cluster = Some(poller.site.cluster);
    }
}
