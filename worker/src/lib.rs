//! What a stage written in Rust links, and what it has in common with the engine.
//!
//! | module | what |
//! |---|---|
//! | [`Job`], [`perform`], [`refusal`] | a stage: its request, its events, its errors |
//! | [`table`] | tables: Parquet files with deterministic bytes, a logical digest and a traceable footer |
//! | [`protocol`] | the request and the events as they are written |
//! | [`curation`] | verdicts of people on the rows of a dataset |
//! | [`digest`] | BLAKE3 hashes |
//! | [`error`], [`code`] | errors: what, where, which names exist, what would be right |
//! | [`print`] | printing for commands |

pub mod code;
pub mod curation;
pub mod digest;
pub mod error;
mod job;
pub mod print;
pub mod protocol;
pub mod table;

pub use job::{Job, help_of, perform, refusal};
