//! The flagship's stages and commands, through the real binaries: one test program, one module a subject.

mod audit;
mod bad_input;
mod datasets;
mod evaluation;
mod flagship;
mod footage;
mod images;
mod increments;
mod objectives;
mod pairs;
mod pipeline;
mod shared;
mod study;
mod training;
mod translate;
