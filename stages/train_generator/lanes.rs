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
pub struct Lanes {
    pool: Option<ThreadPool>,
    cpus: i32,
}

impl Lanes {
    /// Everything on the calling thread.
    pub fn one() -> Self {
        Self { pool: None, cpus: tch::get_num_threads() }
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
        // Beside lanes, the calling thread computes alone: helpers that divide its operators would spin between them,
        // on the lanes' CPUs.
        tch::set_num_threads(1);
        let pool = ThreadPoolBuilder::new().num_threads(LANES);
        let pool = pool.start_handler(move |_| tch::set_num_threads(threads)).build();
        Ok(Self { pool: Some(pool.context("cannot start a thread")?), cpus: cpus as i32 })
    }

    /// Number of parts that are computed at once.
    pub fn count(&self) -> usize {
        if self.pool.is_some() { LANES } else { 1 }
    }

    /// Does what no lane computes on the calling thread, with all CPUs.
    pub fn beside<R>(&self, work: impl FnOnce() -> R) -> R {
        if self.pool.is_none() {
            return work();
        }
        tch::set_num_threads(self.cpus);
        let made = work();
        tch::set_num_threads(1);
        made
    }

    /// Does `work` with each item; items are many and small, and none depends on another.
    pub fn each<T: Send>(&self, items: Vec<T>, work: impl Fn(T) + Sync + Send) {
        let mut shares: Vec<Vec<T>> = (0..self.count()).map(|_| Vec::new()).collect();
        // In turns, as tensors of like sizes stand together.
        items.into_iter().zip((0..self.count()).cycle()).for_each(|(item, lane)| shares[lane].push(item));
        self.map(shares, |share| share.into_iter().for_each(&work));
    }

    /// Results of `compute` for each item, in the order of the items.
    pub fn map<T: Send, R: Send>(&self, items: Vec<T>, compute: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
        match &self.pool {
            // One item a job: those at the end are small, and whichever lane is free takes them.
            Some(pool) => pool.install(|| items.into_par_iter().with_max_len(1).map(compute).collect()),
            None => items.into_iter().map(compute).collect(),
        }
    }
}
