//! Tasks that other runs perform: the engine waits for them, nodes never do. Also marks with which a run is cancelled.

use std::fs;
use std::time::{Duration, Instant};

use callsheet_worker::error::Result;

use super::poller::Poller;
use super::queue::TaskId;
use crate::run::executor::{News, Outcome, Update};
use crate::run::task::JobDir;
use crate::store::LockName;

/// Time between two looks at the work of another run.
const LOOK: Duration = Duration::from_secs(3);

impl<'s, 'a: 's> Poller<'s, 'a> {
    /// Submits tasks again whose work no other run holds any more, unless their results are in the store.
    pub(super) fn look_at_leases(&mut self) -> Result<()> {
        let now = Instant::now();
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
            let (key, decl) = (taken.spec.key.clone(), taken.spec.stage()?.decl);
            if let Some(head) = self.run.store.hit(&key.digest(), &decl) {
                self.leased.remove(&task);
                self.end(task, None, Ok(Outcome::Taken(head)));
                continue;
            }
            let mut holder = None;
            let mut ask = |who: &str| {
                holder = Some(who.to_owned());
                false
            };
            let store = self.run.store;
            let is_free = store.claim(&key.digest(), &self.run.id, &mut ask)?.is_some()
                && store
                    .claim_work(&LockName::Scratch(&key.scratch_digest()), &self.run.id, &mut ask)?
                    .is_some();
            if is_free {
                self.leased.remove(&task);
                self.queue.put_back(task);
            } else if let Some(holder) = holder {
                let id = taken.id;
                if self.waits_for.get(&id) != Some(&holder) {
                    self.tell(id, Update::Waiting(holder.clone()));
                    self.waits_for.insert(id, holder);
                }
            }
        }
        Ok(())
    }

    /// Interrupts the run if `callsheet cancel` has asked for it.
    pub(super) fn obey_cancel(&mut self) {
        if self.is_cancelled || self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        // The name is listed: a name that was asked for may stay unknown for a while.
        let folder = self.run.store.run_dir(&self.run.id).path().to_owned();
        let mut names = fs::read_dir(folder).into_iter().flatten().flatten();
        if names.any(|entry| entry.file_name() == JobDir::CANCEL) {
            self.is_cancelled = true;
            let _ = self.news.send(News::Interrupt);
        }
    }
}
