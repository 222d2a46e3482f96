//! Images of the next steps, made on a thread of its own while the networks compute.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::sampler::{Batch, Sampler};

/// Steps whose images wait to be seen.
const AHEAD: usize = 2;

/// Hands out what a sampler draws, step after step.
pub struct Loader {
    batches: Receiver<Result<Vec<Batch>>>,
    begun: Instant,
    waited: Duration,
}

impl Loader {
    /// Begins with the images of step `first`.
    #[expect(clippy::disallowed_methods, reason = "how long was waited is told and kept in no artifact")]
    pub fn new(sampler: Sampler, first: u64) -> Self {
        let (sender, batches) = sync_channel(AHEAD);
        thread::spawn(move || {
            (first..).map(|step| sampler.batches(step)).try_for_each(|made| sender.send(made))
        });
        Self { batches, begun: Instant::now(), waited: Duration::ZERO }
    }

    /// The images of the next step.
    ///
    /// # Errors
    /// When an image cannot be enlarged.
    #[expect(clippy::disallowed_methods, reason = "how long was waited is told and kept in no artifact")]
    pub fn next(&mut self) -> Result<Vec<Batch>> {
        let asked = Instant::now();
        let batches = self.batches.recv().context("the thread that prepares images failed")?;
        self.waited += asked.elapsed();
        batches
    }

    /// The share of the time since it began that was waited for images.
    pub fn waited(&self) -> f64 {
        self.waited.as_secs_f64() / self.begun.elapsed().as_secs_f64().max(f64::MIN_POSITIVE)
    }
}
