//! Executor on this machine: each running action has a thread, which starts and supervises its worker.

mod confine;
mod detect;
mod machine;
mod process;
mod supervisor;
mod threads;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::Scope;
use std::time::Duration;

use callsheet_worker::error::Result;
use rustix::process::Signal;

use super::guard::guarded;
use super::share::Share;
use super::{ActionId, Executor, News, ReadyQueue, Stop, Update};
use crate::declare::ResourcesDecl;
use crate::run::action::Action;
use crate::run::context::Run;
use threads::Threads;

pub(in crate::run) use confine::{Access, can_confine, denied_path};
pub use detect::machine;
pub use machine::Machine;
pub(in crate::run) use process::{EVENTS, Ended, Job, work};
pub(in crate::run) use supervisor::ProcessSupervisor;
pub use supervisor::supervise;

/// Performs actions on this machine.
pub(in crate::run) struct Local<'s, 'a> {
    run: &'a Run<'a>,
    scope: &'s Scope<'s, 'a>,
    sender: Sender<News>,
    receiver: &'s Receiver<News>,
    threads: Threads<'a>,
    whole: &'a Machine,
    free: Machine,
    shares: BTreeMap<ActionId, Share>,
}

impl<'s, 'a> Local<'s, 'a> {
    /// Returns an executor that has not started any action.
    pub(in crate::run) fn new(
        run: &'a Run<'a>,
        whole: &'a Machine,
        scope: &'s Scope<'s, 'a>,
        (sender, receiver): (Sender<News>, &'s Receiver<News>),
    ) -> Self {
        let (threads, shares) = (Threads::default(), BTreeMap::new());
        Self { run, scope, sender, receiver, threads, whole, free: whole.clone(), shares }
    }

    /// Prepares the run for its first action.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub(in crate::run) fn begin(&self) -> Result<()> {
        self.run.sandbox().map(drop)
    }

    fn start(&self, id: ActionId, action: Action<'a>) {
        let (run, sender) = (self.run, self.sender.clone());
        self.threads.run(self.scope, move || {
            let say = |update| {
                let _ = sender.send(News::Update(id, update));
            };
            let outcome = guarded(|| action.perform(run, say));
            let _ = sender.send(News::Update(id, Update::Ended(outcome)));
        });
    }
}

impl<'a> Executor<'a> for Local<'_, 'a> {
    fn class(&self, stage: &str, wanted: &ResourcesDecl) -> Result<()> {
        self.whole.check(stage, wanted)
    }

    fn offer(&mut self, ready: &mut ReadyQueue<'_, 'a>) -> Result<()> {
        self.begin()?;
        for (at, wanted) in ready.waiting() {
            if self.free.cpus == 0 {
                break;
            }
            let Some(share) = self.free.take(wanted, self.whole) else { continue };
            match ready.take(at, share.clone()) {
                Some(action) => {
                    self.shares.insert(at.1, share);
                    self.start(at.1, action);
                }
                None => self.free.give(share),
            }
        }
        Ok(())
    }

    fn next(&mut self, timeout: Option<Duration>) -> Option<News> {
        let news = match timeout {
            Some(Duration::ZERO) => self.receiver.try_recv().ok(),
            Some(timeout) => self.receiver.recv_timeout(timeout).ok(),
            None => self.receiver.recv().ok(),
        };
        if let Some(News::Update(id, Update::Ended(_))) = &news {
            self.release(*id);
        }
        news
    }

    fn release(&mut self, action: ActionId) {
        if let Some(share) = self.shares.remove(&action) {
            self.free.give(share);
        }
    }

    fn stop(&mut self, how: Stop) {
        if let Some(sandbox) = self.run.begun() {
            sandbox.supervisor.stop(match how {
                Stop::Clean => Signal::TERM,
                Stop::Now => Signal::KILL,
            });
        }
    }
}
