//! Interrupts of the user.

use std::sync::{Mutex, PoisonError, mpsc};

use super::executor::News;

/// Asks a run to end when the user presses Ctrl-C; the second time, at once.
#[derive(Debug, Default)]
pub struct Interrupts(pub(super) Mutex<Option<mpsc::Sender<News>>>);

impl Interrupts {
    /// Interrupts the run that listens, if there is one.
    pub fn send(&self) -> bool {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().is_some_and(|sender| sender.send(News::Interrupt).is_ok())
    }
}
