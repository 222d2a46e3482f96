//! Running a plan: which stages are cached, when the others start, what becomes of them.

mod action;
mod outlook;
mod scheduler;
mod worker;

pub use outlook::{Outlook, State, outlook};
pub use scheduler::{RunOptions, RunSummary, run};
