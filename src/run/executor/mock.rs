//! Executor for tests of the scheduler. It starts no process; actions end in the order in which it took them,
//! and a script of the test names failures and interrupts.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result};

use super::share::Share;
use super::{ActionId, Executor, News, Outcome, ReadyQueue, Stop, Update};
use crate::declare::{ResourcesDecl, StageDecl};
use crate::store::{LatestResult, Object, Provenance};

/// Log of calls, in order: `start a`, `end a`, `stop clean`.
pub(in crate::run) type Log = Rc<RefCell<Vec<String>>>;

/// Performs up to `room` actions at once.
pub(in crate::run) struct Mock {
    pub room: usize,
    /// Stages whose actions fail.
    pub failing: Vec<&'static str>,
    /// Stages that no machine can serve.
    pub unfit: Vec<&'static str>,
    /// Interrupts by the user: for each, the number of actions that end before it.
    pub interrupts: Vec<usize>,
    pub log: Log,
    running: VecDeque<(ActionId, String, Arc<LatestResult>)>,
    ended: usize,
    stopped: bool,
}

impl Mock {
    pub(in crate::run) fn new(room: usize) -> Self {
        Self {
            room,
            failing: Vec::new(),
            unfit: Vec::new(),
            interrupts: Vec::new(),
            log: Log::default(),
            running: VecDeque::new(),
            ended: 0,
            stopped: false,
        }
    }

    /// Sets a part of the script.
    pub(in crate::run) fn with(mut self, script: impl FnOnce(&mut Self)) -> Self {
        script(&mut self);
        self
    }

    fn note(&self, what: &str, name: &str) {
        self.log.borrow_mut().push(format!("{what} {name}"));
    }
}

impl<'a> Executor<'a> for Mock {
    fn class(&self, stage: &str, _wanted: &ResourcesDecl) -> Result<()> {
        if self.unfit.contains(&stage) {
            return Err(Error::user_error(Code::Resources, format!("no machine serves `{stage}`"), ""));
        }
        Ok(())
    }

    fn offer(&mut self, ready: &mut ReadyQueue<'_, 'a>) -> Result<()> {
        for (at, _) in ready.waiting() {
            if self.running.len() == self.room {
                break;
            }
            let Some(action) = ready.take(at, Share::default()) else { continue };
            let name = action.stage.name.clone();
            self.note("start", &name);
            let head = Arc::new(head(action.key.digest(), &action.stage.decl));
            self.running.push_back((at.1, name, head));
        }
        Ok(())
    }

    fn next(&mut self, timeout: Option<Duration>) -> Option<News> {
        // Actions end only when the scheduler has nothing else to do.
        if timeout.is_some() {
            return None;
        }
        if self.interrupts.first().is_some_and(|after| *after <= self.ended) {
            self.interrupts.remove(0);
            return Some(News::Interrupt);
        }
        let (id, name, head) = self.running.pop_front()?;
        self.ended += 1;
        self.note("end", &name);
        let outcome = if self.stopped {
            Ok(Outcome::Stopped)
        } else if self.failing.contains(&&*name) {
            Err(Error::user_error(Code::WorkerFailed, format!("`{name}` failed"), ""))
        } else {
            Ok(Outcome::ActionOutput(head))
        };
        Some(News::Update(id, Update::Ended(outcome)))
    }

    fn release(&mut self, _action: ActionId) {}

    fn stop(&mut self, how: Stop) {
        self.stopped = true;
        self.note("stop", if how == Stop::Clean { "clean" } else { "now" });
    }
}

/// Returns a result with the outputs that the stage declares; nothing is in a store.
pub(in crate::run) fn head(key: Digest, decl: &StageDecl) -> LatestResult {
    let object = |kind| Object {
        kind,
        content: key,
        bytes: key,
        size: 1,
        files: 1,
        links: None,
        rows: None,
        parts: Vec::new(),
    };
    let outputs = decl.outputs.iter().map(|(name, output)| (name.clone(), object(output.kind))).collect();
    LatestResult::new(key, outputs, &Provenance::default(), decl).expect("as declared")
}
