//! Images of the next steps, prepared on a separate thread while the networks compute.

use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::sampler::{Batch, Sampler};

/// Number of steps whose images are prepared in advance.
const AHEAD: usize = 2;

/// Provides the batches of a sampler, step by step.
pub(super) struct Loader {
    /// None when the loader ends.
    batches: Option<Receiver<Result<Vec<Batch>>>>,
    thread: Option<JoinHandle<()>>,
    begun: Instant,
    waited: Duration,
}

impl Loader {
    /// Starts a thread that prepares the batches of `steps` in order.
    #[expect(
        clippy::disallowed_methods,
        reason = "the waiting time is logged and is not part of an artifact"
    )]
    pub(super) fn new(sampler: Sampler, steps: Range<u64>) -> Self {
        let (sender, batches) = sync_channel(AHEAD);
        let draw = move || {
            // If a training ends early, the receiver is gone.
            let _ = steps.map(|step| sampler.batches(step)).try_for_each(|made| sender.send(made));
        };
        let (batches, thread) = (Some(batches), Some(thread::spawn(draw)));
        Self { batches, thread, begun: Instant::now(), waited: Duration::ZERO }
    }

    /// Returns the images of the next step.
    ///
    /// # Errors
    /// Returns an error if an image cannot be enlarged.
    #[expect(
        clippy::disallowed_methods,
        reason = "the waiting time is logged and is not part of an artifact"
    )]
    pub(super) fn next(&mut self) -> Result<Vec<Batch>> {
        let asked = Instant::now();
        let batches = self.batches.as_ref().and_then(|batches| batches.recv().ok());
        let batches = batches.context("the thread that prepares images failed")?;
        self.waited += asked.elapsed();
        batches
    }

    /// Returns the share of the time since the start that was spent waiting for images.
    pub(super) fn waited(&self) -> f64 {
        self.waited.as_secs_f64() / self.begun.elapsed().as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        drop(self.batches.take());
        // The images of the thread must be freed before libtorch is unloaded.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
