//! Two threads that compute parts of a step in parallel, each with half of the CPUs.
//!
//! The operators of small networks are too short to be divided among threads. If a thread computes two of
//! four images alone, it needs half the time of all four, and no thread waits for another within an operator.

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tch::Device;

/// Number of lanes on CPUs. With more, each would have too few images, and too few threads for large images.
const LANES: usize = 2;

/// Threads of the lanes; none if everything is computed on the calling thread.
pub(super) struct Lanes {
    pool: Option<ThreadPool>,
    cpus: i32,
}

impl Lanes {
    /// Returns a single lane, which is the calling thread.
    pub(super) fn one() -> Self {
        Self { pool: None, cpus: tch::get_num_threads() }
    }

    /// Starts two lanes with half of the `cpus` each. On a GPU, or with one CPU, there is one lane.
    ///
    /// # Errors
    /// Returns an error if a thread cannot be started.
    pub(super) fn new(device: Device, cpus: usize) -> Result<Self> {
        if device != Device::Cpu || cpus < LANES {
            return Ok(Self::one());
        }
        let threads = (cpus / LANES) as i32;
        // While there are lanes, the calling thread uses one thread: others that share its operators would
        // spin between the operators, on the CPUs of the lanes.
        tch::set_num_threads(1);
        let pool = ThreadPoolBuilder::new().num_threads(LANES);
        let set = move |_| {
            // The number is read first, because libtorch initializes it on first use from the number of the
            // calling thread.
            tch::get_num_threads();
            tch::set_num_threads(threads);
        };
        let pool = pool.start_handler(set).build();
        Ok(Self { pool: Some(pool.context("cannot start a thread")?), cpus: cpus as i32 })
    }

    /// Number of parts that are computed at once.
    pub(super) fn count(&self) -> usize {
        if self.pool.is_some() { LANES } else { 1 }
    }

    /// Runs `work` on the calling thread with all CPUs, while no lane computes.
    pub(super) fn with_all_cpus<R>(&self, work: impl FnOnce() -> R) -> R {
        if self.pool.is_none() {
            return work();
        }
        tch::set_num_threads(self.cpus);
        let made = work();
        tch::set_num_threads(1);
        made
    }

    /// Runs `work` for each item on one of the lanes. Items must be independent. Each comes with its size,
    /// and the sums of the sizes are about equal for all lanes.
    pub(super) fn each<T: Send>(&self, mut items: Vec<(usize, T)>, work: impl Fn(T) + Sync + Send) {
        let mut shares: Vec<(usize, Vec<T>)> = (0..self.count()).map(|_| (0, Vec::new())).collect();
        // The largest items come first, so that the small ones balance the sums.
        items.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
        for (size, item) in items {
            if let Some((sum, share)) = shares.iter_mut().min_by_key(|(sum, _)| *sum) {
                *sum += size;
                share.push(item);
            }
        }
        self.map(shares, |(_, share)| share.into_iter().for_each(&work));
    }

    /// Returns the results of `compute` for each item, in the order of the items.
    pub(super) fn map<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        compute: impl Fn(T) -> R + Sync + Send,
    ) -> Vec<R> {
        match &self.pool {
            // Each job has one item: those at the end are small, and the next free lane takes them.
            Some(pool) => pool.install(|| items.into_par_iter().with_max_len(1).map(compute).collect()),
            None => items.into_iter().map(compute).collect(),
        }
    }
}
