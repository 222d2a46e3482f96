//! Callsheet: a data-pipeline orchestrator.
//!
//! A pipeline is a graph of declared stages. Each stage is a command with inputs, parameters and
//! outputs; its result is found under the hash of what it is made from, and only what is not
//! found is computed. This library is the engine: it knows neither images nor tensors, and its
//! workers are processes of their own.
//!
//! The layers, from bottom to top: no file uses one of a layer above its own, and no files use each other in a circle
//! (`tests/it/layers.rs`). Below them lie the crates `callsheet-worker`, which stages written in Rust link too, and
//! `callsheet-figures`, which draws.
//!
//! | layer | from | to |
//! |---|---|---|
//! | [`words`] | names of a run | its title |
//! | [`declare`] | TOML files | declarations as written, every value with its line |
//! | [`plan`] | declarations, overlays, `--set`, `foreach` | the resolved graph (the one user of petgraph) |
//! | [`key`] | a stage and its inputs' content | what identifies its result |
//! | [`reason`] | two keys | why a stage must run |
//! | [`store`] | finished artifacts | objects by content, records by key, views by name |
//! | [`event`] | | what a run reports |
//! | [`checks`] | a table | whether what its stage declares holds |
//! | [`run`] | a plan | events; workers started as inputs, CPUs, memory and GPUs allow |
//! | [`metrics`] | the events of runs | curves, and pictures of them |
//! | [`report`] | runs, their events and artifacts | a page of HTML |
//! | [`lineage`] | the events of a run | OpenLineage |
//! | [`cli`] | the command line | the only place that prints |
//!
//! What every module holds to: nothing wrong is recorded, nothing half-done is visible, nothing
//! is computed twice, and every refusal names the file, the value and the remedy.

pub mod checks;
pub mod cli;
pub mod declare;
pub mod event;
pub mod key;
pub mod lineage;
pub mod metrics;
pub mod plan;
pub mod reason;
pub mod report;
pub mod run;
pub mod store;
pub mod words;
