//! Images of the next steps, made on a thread of its own while the networks compute.

use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::sampler::{Batch, Sampler};

/// Steps whose images wait to be seen.
const AHEAD: usize = 2;

/// Hands out what a sampler draws, step after step.
pub(super) struct Loader {
    /// None once it is to end.
    batches: Option<Receiver<Result<Vec<Batch>>>>,
    thread: Option<JoinHandle<()>>,
    begun: Instant,
    waited: Duration,
}

impl Loader {
    /// Of `steps`, one after the other.
    #[expect(clippy::disallowed_methods, reason = "how long was waited is told and kept in no artifact")]
    pub(super) fn new(sampler: Sampler, steps: Range<u64>) -> Self {
        let (sender, batches) = sync_channel(AHEAD);
        let draw = move || {
            // Nobody listens any more when a training ends early.
            let _ = steps.map(|step| sampler.batches(step)).try_for_each(|made| sender.send(made));
        };
        let (batches, thread) = (Some(batches), Some(thread::spawn(draw)));
        Self { batches, thread, begun: Instant::now(), waited: Duration::ZERO }
    }

    /// The images of the next step.
    ///
    /// # Errors
    /// When an image cannot be enlarged.
    #[expect(clippy::disallowed_methods, reason = "how long was waited is told and kept in no artifact")]
    pub(super) fn next(&mut self) -> Result<Vec<Batch>> {
        let asked = Instant::now();
        let batches = self.batches.as_ref().and_then(|batches| batches.recv().ok());
        let batches = batches.context("the thread that prepares images failed")?;
        self.waited += asked.elapsed();
        batches
    }

    /// The share of the time since it began that was waited for images.
    pub(super) fn waited(&self) -> f64 {
        self.waited.as_secs_f64() / self.begun.elapsed().as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        drop(self.batches.take());
        // Its images must be gone before libtorch is.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
