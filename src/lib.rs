//! Callsheet: a data-pipeline orchestrator.
//!
//! A pipeline is a graph of declared stages. Each stage is a command with inputs, parameters and
//! outputs; its result is found under the hash of what it is made from, and only what is not
//! found is computed. This library is the engine: it knows neither images nor tensors, and its
//! workers are processes of their own.
//!
//! The modules, in the order data flows through them:
//!
//! | module | from | to |
//! |---|---|---|
//! | [`declare`] | TOML files | declarations as written, every value with its line |
//! | [`plan`] | declarations, overlays, `--set`, `foreach` | the resolved graph (the one user of petgraph) |
//! | [`key`] | a stage and its inputs' content | what identifies its result |
//! | [`reason`] | two keys | why a stage must run |
//! | [`store`] | finished artifacts | objects by content, records by key, views by name |
//! | [`table`] | Parquet files | schema checks, logical digests, deterministic writing |
//! | [`run`] | a plan | events; workers started as inputs, CPUs, memory and GPUs allow |
//! | [`metrics`] | the events of runs | curves, and pictures of them |
//! | [`report`] | runs, their events and artifacts | a page of HTML |
//! | [`curation`] | a file of people's verdicts | which frames are left out |
//! | [`lineage`] | the events of a run | OpenLineage |
//! | [`protocol`], [`event`] | | what engine, workers and reporters say to each other |
//! | [`inline`] | bytes, programs | what stands inside of a page |
//! | [`plotting`] | | font and colours of drawn figures |
//! | [`words`] | names and numbers | what people read |
//! | [`code`] | kinds of errors | what programs and tests rely on |
//! | [`error`] | whatever is wrong | what, where, which names exist, what would be right |
//! | [`cli`] | the command line | the only place that prints |
//!
//! What every module holds to: nothing wrong is recorded, nothing half-done is visible, nothing
//! is computed twice, and every refusal names the file, the value and the remedy.

pub mod cli;
pub mod code;
pub mod curation;
pub mod declare;
pub mod error;
pub mod event;
pub mod inline;
pub mod key;
pub mod lineage;
pub mod metrics;
pub mod plan;
pub mod plotting;
pub mod protocol;
pub mod reason;
pub mod report;
pub mod run;
pub mod store;
pub mod table;
pub mod words;
