//! Tests of `callsheet-inspect` with the real binaries, one module per command.

mod inspect;
mod project;
mod sheet;
#[path = "../../../tests/snapshot.rs"]
mod snapshot;
