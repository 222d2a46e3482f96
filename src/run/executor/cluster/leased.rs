//! Tasks that other runs perform: the engine waits for them, nodes never do. Also marks with which a run is cancelled.

use std::time::Duration;

use super::poller::Poller;
use super::queue::TaskId;
use super::site::{OtherWork, Site};
use crate::run::executor::{News, Outcome, Update};

/// Time between two looks at the work of another run.
const LOOK: Duration = Duration::from_secs(3);

impl<'a, S: Site<'a>> Poller<'a, S> {
    /// Submits tasks again whose work no other run holds any more, unless their results are in the store.
    pub(super) fn look_at_leases(&mut self) {
        let now = self.site.now();
        let due: Vec<TaskId> =
            self.leased.iter().filter(|(_, at)| **at <= now).map(|(task, _)| *task).collect();
        for task in due {
            self.leased.insert(task, now + LOOK);
            let Some(taken) = self.tasks.get(&task) else {
                self.leased.remove(&task);
                continue;
            };
            if self.stopping.is_some() {
                self.leased.remove(&task);
                self.end_task(task, || Ok(Outcome::Stopped));
                continue;
            }
            match self.site.other_work(&taken.spec, &taken.decl) {
                // A store that cannot be used now can be later.
                Err(_) => {}
                Ok(OtherWork::Done(head)) => {
                    self.leased.remove(&task);
                    self.end(task, None, Ok(Outcome::Taken(head)));
                }
                Ok(OtherWork::Free) => {
                    self.leased.remove(&task);
                    self.queue.put_back(task);
                }
                Ok(OtherWork::Held(holder)) => {
                    let id = taken.id;
                    if self.waits_for.get(&id) != Some(&holder) {
                        self.report(id, Update::Waiting(holder.clone()));
                        self.waits_for.insert(id, holder);
                    }
                }
            }
        }
    }

    /// Interrupts the run if `callsheet cancel` has asked for it.
    pub(super) fn obey_cancel(&mut self) {
        let now = self.site.now();
        if self.is_cancelled || now.saturating_sub(self.looked) < LOOK {
            return;
        }
        self.looked = now;
        if self.site.is_cancelled() {
            self.is_cancelled = true;
            let _ = self.news.send(News::Interrupt);
        }
    }
}
