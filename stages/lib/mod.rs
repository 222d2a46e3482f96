//! Code that two or more stages share.

pub(crate) mod codes;
pub(crate) mod columns;
pub(crate) mod data;
pub(crate) mod figures;
pub(crate) mod leaks;
pub(crate) mod lpips;
pub(crate) mod memory;
pub(crate) mod metrics;
pub(crate) mod model;
pub(crate) mod names;
pub(crate) mod nn;
pub(crate) mod objective;
pub(crate) mod overlap;
pub(crate) mod pairs;
pub(crate) mod parts;
pub(crate) mod picture;
pub(crate) mod random;
pub(crate) mod renderings;
pub(crate) mod splits;
pub(crate) mod style;
pub(crate) mod verdicts;
pub(crate) mod video;
pub(crate) mod weights;
