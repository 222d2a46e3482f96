//! `callsheet-inspect` through the real binaries: one test program, one module a subject.

mod inspect;
mod project;
mod sheet;
