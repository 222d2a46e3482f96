//! Tests of the engine through its real program and its library, one module for each subject.

mod checks;
mod code;
mod columns;
mod commands;
mod confined;
mod contents;
mod costs;
mod curation;
mod declarations;
mod docs;
mod engine;
mod environment;
mod faults;
mod foreach;
mod formats;
mod hosts;
mod imports;
mod includes;
mod instances;
mod layers;
mod lineage;
mod lists;
mod metrics;
mod new_stage;
mod promises;
mod properties;
mod report;
mod rows;
mod schemas;
mod setup;
#[path = "../snapshot.rs"]
mod snapshot;
mod sources;
mod support;
mod uses;
mod whole;
