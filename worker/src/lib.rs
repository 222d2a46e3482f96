//! Library for stages written in Rust, and for what stages and the engine share.
//!
//! | module | what |
//! |---|---|
//! | [`Job`], [`perform`], [`refusal`] | a stage: its request, its events, its errors |
//! | [`table`] | tables: Parquet files with deterministic bytes, a logical digest and a traceable footer |
//! | [`protocol`] | the request and the events as they are written |
//! | [`report`] | protocol between reports and commands of a project |
//! | [`curation`] | verdicts of people on the rows of a table |
//! | [`digest`] | BLAKE3 hashes |
//! | [`error`], [`code`] | errors with a code, the file, the value and a remedy |
//! | [`print`] | printing for commands |

pub mod code;
pub mod curation;
pub mod digest;
pub mod error;
mod job;
pub mod print;
pub mod protocol;
pub mod report;
pub mod table;

pub use job::{Job, help_of, perform, refusal};
