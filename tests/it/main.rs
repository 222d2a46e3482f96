//! The engine, through its real binary and library: one test program, one module a subject.

mod checks;
mod costs;
mod curation;
mod declarations;
mod docs;
mod engine;
mod faults;
mod foreach;
mod imports;
mod lineage;
mod metrics;
mod promises;
mod properties;
mod report;
mod rows;
mod schemas;
mod setup;
mod support;
