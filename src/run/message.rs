//! What the scheduler hears.

use std::sync::{Mutex, PoisonError, mpsc};

use callsheet_worker::error::Result;

use super::action::Outcome;
use crate::event::Event;

/// What the scheduler hears.
pub(super) enum Message {
    /// Something to report.
    Event(Event),
    /// A worker's share is free.
    Released(usize),
    /// An action is over.
    Ended(usize, Result<Outcome>),
    /// The user wants the run to end.
    Interrupt,
}

/// Tells a run that the user wants it to end; the second time, at once.
#[derive(Debug, Default)]
pub struct Interrupts(pub(super) Mutex<Option<mpsc::Sender<Message>>>);

impl Interrupts {
    /// Interrupts the run that listens, if there is one.
    pub fn send(&self) -> bool {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().is_some_and(|sender| sender.send(Message::Interrupt).is_ok())
    }
}
