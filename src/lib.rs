//! Callsheet: a data-pipeline orchestrator.
//!
//! A pipeline is a graph of declared stages. Each stage is a command with inputs, parameters and
//! outputs. Its result is stored under the hash of these, and only missing results are computed.
//! This library is the engine: it contains no code for images or tensors, and starts its workers
//! as separate processes.
//!
//! The table lists the layers from bottom to top. A file uses no layer above its own, and imports form no
//! cycle (`tests/it/layers.rs`). All layers can use the crates `callsheet-worker`, which stages written in
//! Rust also link, and `callsheet-figures`, which draws.
//!
//! | layer | from | to |
//! |---|---|---|
//! | [`trace`] | paths | their state and content, and a trace of all that was read |
//! | [`raw_table`] | CSV files, JSON lines, images | a table |
//! | [`target`] | names of pipeline, dataset and profile | their folder in `data/out`, and the title of a run |
//! | [`declare`] | TOML files | declarations as written, every value with its line |
//! | [`plan`] | declarations, overlays, `--set`, `foreach` | the resolved graph (the only user of petgraph) |
//! | [`key`] | a stage and the content of its inputs | the key that identifies its result |
//! | [`reason`] | two keys | the reasons why a stage must run |
//! | [`explanation`] | two keys | their parts side by side |
//! | [`store`] | finished artifacts | objects by content, records by key, views by name |
//! | [`event`] | | the events that a run reports |
//! | [`checks`] | a table and the checks that its stage declares | violations |
//! | [`run`] | a plan | events; workers started as inputs, CPUs, memory and GPUs allow |
//! | [`listing`] | a plan | what each stage would do, and how many rows it would compute |
//! | [`impact`] | a list of stages | rows and seconds that a run would take |
//! | [`curation`] | verdicts of people | lines of the file that stages read |
//! | [`metrics`] | the events of runs | curves, and images of them |
//! | [`report`] | runs, their events and artifacts | an HTML page |
//! | [`lineage`] | the events of a run | OpenLineage events |
//! | [`cli`] | the command line | printed text; the only layer that prints |
//!
//! Every module keeps these invariants: no wrong result is recorded, no incomplete result is visible, no
//! result is computed twice, and every refusal names the file, the value and the remedy.

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!(
    "callsheet runs on 64-bit Linux only: it depends on pidfd, Landlock and /proc. On Windows, use WSL2."
);

pub mod checks;
pub mod cli;
pub mod curation;
pub mod declare;
pub mod event;
pub mod explanation;
pub mod impact;
pub mod key;
pub mod lineage;
pub mod listing;
pub mod metrics;
pub mod plan;
pub mod raw_table;
pub mod reason;
pub mod report;
pub mod run;
pub mod store;
pub mod target;
pub mod trace;
