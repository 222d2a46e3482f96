//! Tests of the flagship's stages and commands through the real programs, one module for each subject.

mod audit;
mod bad_input;
mod containers;
mod damage;
mod datasets;
mod evaluation;
mod flagship;
mod footage;
mod images;
mod increments;
mod objectives;
mod pairs;
mod pinned;
mod pipeline;
mod renderings;
mod retrieval;
mod shared;
#[path = "../snapshot.rs"]
mod snapshot;
mod study;
mod tables;
mod times;
mod training;
mod translate;
