//! Two threads that compute parts of a step side by side, each with half of the CPUs.
//!
//! Operators of small networks are too short to be divided among threads: two of four images on a thread of their own
//! cost half of what four cost, and no thread waits for the other within an operator.

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tch::Device;

/// Lanes where the CPUs compute. More would leave each too few images, and too few threads for large ones.
const LANES: usize = 2;

/// The threads; none where everything is computed on the calling thread.
pub struct Lanes(Option<ThreadPool>);

impl Lanes {
    /// Everything on the calling thread.
    pub fn one() -> Self {
        Self(None)
    }

    /// Two lanes where `cpus` compute, each with half of them; one on a GPU, or where there is one CPU.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn new(device: Device, cpus: usize) -> Result<Self> {
        if device != Device::Cpu || cpus < LANES {
            return Ok(Self::one());
        }
        let threads = (cpus / LANES) as i32;
        let pool = ThreadPoolBuilder::new().num_threads(LANES);
        let pool = pool.start_handler(move |_| tch::set_num_threads(threads)).build();
        Ok(Self(Some(pool.context("cannot start a thread")?)))
    }

    /// Number of parts that are computed at once.
    pub fn count(&self) -> usize {
        if self.0.is_some() { LANES } else { 1 }
    }

    /// Results of `compute` for each item, in the order of the items.
    pub fn map<T: Send, R: Send>(&self, items: Vec<T>, compute: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
        match &self.0 {
            // One item a job: those at the end are small, and whichever lane is free takes them.
            Some(pool) => pool.install(|| items.into_par_iter().with_max_len(1).map(compute).collect()),
            None => items.into_iter().map(compute).collect(),
        }
    }
}
