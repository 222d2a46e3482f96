//! A simulated cluster for tests of scale: jobs wait, nodes fail, listings and files are stale, all drawn from a seed. Time is
//! virtual, and no process is started. The scheduler, the poller and the queue are those of real runs.

mod cluster;
mod executor;
mod jobs;
mod pipeline;
mod random;
mod site;

pub(in crate::run) use cluster::{SimulatedCluster, Work};
pub(in crate::run) use executor::{Incidents, Report, SimulatedExecutor, lab};
pub(in crate::run) use pipeline::{Pipeline, Size};
pub(in crate::run) use random::Random;
