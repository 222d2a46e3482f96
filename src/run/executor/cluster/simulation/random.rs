//! Random numbers of a simulation, and the faults that they decide.

use std::time::Duration;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// Random numbers that depend on a seed only.
pub(in crate::run) struct Random(TestRng);

impl Random {
    pub(in crate::run) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// A number from 0 to 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number of seconds from `least` to `most`.
    pub(in crate::run) fn seconds(&mut self, least: f64, most: f64) -> Duration {
        Duration::from_secs_f64(least + (most - least) * self.unit())
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((self.unit() * end as f64) as usize).min(end.saturating_sub(1))
    }
}

/// Probabilities of faults, and lengths of delays.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// A node fails while it performs a job.
    pub node: f64,
    /// A job is killed in favour of another one.
    pub preemption: f64,
    /// A node loses contact: its job goes on, and the cluster starts it a second time elsewhere.
    pub lost_contact: f64,
    /// The cluster forgets a job.
    pub forgotten: f64,
    /// A killed job is not started again by the cluster.
    pub no_requeue: f64,
    /// A listing shows an earlier state, or the cluster does not answer.
    pub stale_listing: f64,
    pub no_listing: f64,
    /// The answer to a submission is lost.
    pub lost_answer: f64,
    /// A job does not notice the lease of another one.
    pub unseen_lease: f64,
    /// A file becomes visible late.
    pub stale_file: f64,
    /// The files of a submission cannot be written.
    pub unwritable: f64,
    /// A call that ends jobs has no effect.
    pub lost_end: f64,
    /// A job that ended has output.
    pub output: f64,
    /// A task fails by itself.
    pub failure: f64,
    /// Longest time that a job waits in the queue although nodes are free.
    pub queue: f64,
    /// Largest number of jobs of a user.
    pub most_jobs: usize,
}

impl Faults {
    /// Each kind of fault occurs in about half of all simulations.
    pub(super) fn draw(random: &mut Random) -> Self {
        let mut some = |most: f64| if random.chance(0.5) { random.unit() * most } else { 0.0 };
        Self {
            node: some(0.02),
            preemption: some(0.05),
            lost_contact: some(0.02),
            forgotten: some(0.005),
            no_requeue: some(0.1),
            stale_listing: some(0.3),
            no_listing: some(0.1),
            lost_answer: some(0.2),
            unseen_lease: some(0.2),
            stale_file: some(0.05),
            unwritable: 0.0,
            lost_end: some(0.3),
            output: some(0.5),
            failure: 0.0,
            queue: some(600.0),
            most_jobs: 100 + random.below(9900),
        }
    }
}
