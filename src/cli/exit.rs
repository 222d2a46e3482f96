//! Exit codes of commands, and warnings on stderr.

use callsheet_worker::print::say;

/// Success, also if nothing had to be done.
pub(super) const SUCCESS: u8 = 0;
/// A stage failed, or the report or the lineage of a run could not be written.
pub(super) const STAGE_FAILED: u8 = 1;
/// `verify`: something in the store is damaged.
pub(super) const DAMAGED: u8 = 1;
/// The command line or a declaration is wrong; nothing was started.
pub(super) const REFUSED: u8 = 2;
/// `plan --check`: at least one stage would run.
pub(super) const WOULD_RUN: u8 = 3;
/// The user stopped the run.
pub(super) const STOPPED: u8 = 130;

/// Prints warnings to stderr.
pub(super) fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
}
