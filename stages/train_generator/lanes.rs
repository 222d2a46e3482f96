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
pub(super) struct Lanes {
    pool: Option<ThreadPool>,
    cpus: i32,
}

impl Lanes {
    /// Everything on the calling thread.
    pub(super) fn one() -> Self {
        Self { pool: None, cpus: tch::get_num_threads() }
    }

    /// Two lanes where `cpus` compute, each with half of them; one on a GPU, or where there is one CPU.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub(super) fn new(device: Device, cpus: usize) -> Result<Self> {
        if device != Device::Cpu || cpus < LANES {
            return Ok(Self::one());
        }
        let threads = (cpus / LANES) as i32;
        // The calling thread computes alone while there are lanes: threads that share its operators would spin between
        // the operators, on the CPUs of the lanes.
        tch::set_num_threads(1);
        let pool = ThreadPoolBuilder::new().num_threads(LANES);
        let set = move |_| {
            // Asked first, as libtorch sets up a thread at its first question, from the calling thread's number.
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

    /// Does `work` on the calling thread with all CPUs, while no lane computes.
    pub(super) fn with_all_cpus<R>(&self, work: impl FnOnce() -> R) -> R {
        if self.pool.is_none() {
            return work();
        }
        tch::set_num_threads(self.cpus);
        let made = work();
        tch::set_num_threads(1);
        made
    }

    /// Does `work` with each item on some lane. Items must not depend on each other; each comes with its size, and all
    /// lanes get about the same sum of sizes.
    pub(super) fn each<T: Send>(&self, mut items: Vec<(usize, T)>, work: impl Fn(T) + Sync + Send) {
        let mut shares: Vec<(usize, Vec<T>)> = (0..self.count()).map(|_| (0, Vec::new())).collect();
        // The largest first: small ones even the sums out.
        items.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
        for (size, item) in items {
            if let Some((sum, share)) = shares.iter_mut().min_by_key(|(sum, _)| *sum) {
                *sum += size;
                share.push(item);
            }
        }
        self.map(shares, |(_, share)| share.into_iter().for_each(&work));
    }

    /// Results of `compute` for each item, in the order of the items.
    pub(super) fn map<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        compute: impl Fn(T) -> R + Sync + Send,
    ) -> Vec<R> {
        match &self.pool {
            // One item a job: those at the end are small, and whichever lane is free takes them.
            Some(pool) => pool.install(|| items.into_par_iter().with_max_len(1).map(compute).collect()),
            None => items.into_iter().map(compute).collect(),
        }
    }
}
