//! Interrupts by the user (Ctrl-C).

use std::sync::{Mutex, PoisonError, mpsc};

use super::executor::News;

/// Passes interrupts by the user to a run. The first interrupt stops workers cleanly, the second kills them.
#[derive(Debug, Default)]
pub struct Interrupts(pub(super) Mutex<Option<mpsc::Sender<News>>>);

impl Interrupts {
    /// Interrupts the current run; returns false if no run receives interrupts.
    pub fn send(&self) -> bool {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().is_some_and(|sender| sender.send(News::Interrupt).is_ok())
    }
}
