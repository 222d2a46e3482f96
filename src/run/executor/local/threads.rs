//! Threads that run actions. Idle threads are reused, because starting a thread costs more than the work of a
//! small action.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::Scope;

type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// A task, and the sender of further tasks to its thread.
struct Order<'a>(Task<'a>, Sender<Order<'a>>);

/// Pool with as many threads as tasks ran at one time. After it is dropped, each thread ends with its task.
#[derive(Default)]
pub(super) struct Threads<'a> {
    idle: Arc<Mutex<Vec<Sender<Order<'a>>>>>,
}

impl<'a> Threads<'a> {
    /// Runs a task on an idle thread, or on a new one if none is idle.
    pub(super) fn run<'s>(&self, scope: &'s Scope<'s, 'a>, task: impl FnOnce() + Send + 'a)
    where
        'a: 's,
    {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let sender = idle.unwrap_or_else(|| {
            let (sender, orders) = channel();
            let idle = Arc::downgrade(&self.idle);
            scope.spawn(move || work(&orders, &idle));
            sender
        });
        let order = Order(Box::new(task), sender.clone());
        sender.send(order).unwrap_or_else(|_| unreachable!("a thread waits while its sender is listed"));
    }
}

fn work<'a>(orders: &Receiver<Order<'a>>, idle: &Weak<Mutex<Vec<Sender<Order<'a>>>>>) {
    // While a thread is idle, only the list has a sender to it, so the thread ends when the list is dropped.
    while let Ok(Order(task, sender)) = orders.recv() {
        task();
        let Some(idle) = idle.upgrade() else { return };
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    }
}
