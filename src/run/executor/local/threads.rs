//! Threads that actions run on; one that is idle is used again, for starting one costs more than
//! a small action's own work.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::Scope;

type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// A task, and the way to send the next one to the same thread.
struct Order<'a>(Task<'a>, Sender<Order<'a>>);

/// As many threads as there were tasks at once. Dropped, they end with their tasks.
#[derive(Default)]
pub(super) struct Threads<'a> {
    idle: Arc<Mutex<Vec<Sender<Order<'a>>>>>,
}

impl<'a> Threads<'a> {
    /// Runs a task on a thread of its own.
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
    // Only the list holds a sender while a thread is idle: it ends when the list does.
    while let Ok(Order(task, sender)) = orders.recv() {
        task();
        let Some(idle) = idle.upgrade() else { return };
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    }
}
