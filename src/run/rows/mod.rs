//! Row-wise stages: the worker computes the rows that the store lacks, the engine does the rest.
//!
//! A row is found by what it depends on: the stage, its version, parameters and other inputs (the
//! pool, [`crate::key::ActionKey::pool`]) and the columns of its input row. So it does not matter which
//! table it was computed for, nor when.

mod assemble;
mod foreseen;
mod index;
mod missing;
mod part;
mod returned;
mod rowwise;
mod wanted;

pub use foreseen::Compute;
pub(crate) use foreseen::Foreseen;
pub(super) use wanted::Files;
