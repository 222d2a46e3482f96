//! Verdicts on rows: shown next to the rows, written by scripts of pages, and compared with the last commit.

mod column;
mod committed;
mod impact;
mod kept;
mod list;
mod place;
mod read;
mod write;

pub(crate) use column::VERDICT;
pub(crate) use committed::since_commit;
pub(crate) use impact::next_run;
pub(crate) use kept::KeptVerdicts;
pub(crate) use list::Verdicts;
pub(crate) use read::{read_now, read_or_none};
pub(crate) use write::{Changes, list_verdicts};
