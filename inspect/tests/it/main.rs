//! Tests of `callsheet-inspect` through the real programs, one module for each subject.

mod inspect;
mod project;
mod sheet;
#[path = "../../../tests/snapshot.rs"]
mod snapshot;
