//! Row-wise stages: the worker computes the rows that the store lacks, and the engine assembles the table.
//!
//! A row is looked up by everything that it depends on: the stage, its version, parameters and other inputs
//! (the pool, [`crate::key::ActionKey::pool`]) and the columns of its input row. A row that was computed for
//! one table is therefore reused in any other.

mod assemble;
mod computed;
mod debug;
mod index;
mod ingest;
mod missing;
mod part;
mod perform_shard;
mod predicted;
mod rate;
mod required;
mod row_plan;
mod rowwise;
mod shard;

pub(super) use computed::ComputedRows;
pub use debug::PreparedRows;
#[cfg(test)]
pub(super) use perform_shard::Parts;
pub use predicted::Compute;
pub(crate) use predicted::PredictedTable;
pub(super) use rate::{Rate, Rates};
pub(super) use required::Files;
pub(super) use row_plan::{Planned, RowPlan};
pub(super) use shard::{Piece, Shard, ShardPart};
