//! Exit codes of commands, and errors on stderr.

use callsheet_worker::error::Error;
use callsheet_worker::print::say;

/// Everything went well; nothing had to be done counts as well.
pub const SUCCESS: u8 = 0;
/// A stage failed.
pub const STAGE_FAILED: u8 = 1;
/// `verify`: something in the store is damaged.
pub const DAMAGED: u8 = 1;
/// The command line or a declaration is wrong; nothing was started.
pub const REFUSED: u8 = 2;
/// `plan --check`: something would run.
pub const WOULD_RUN: u8 = 3;
/// The user stopped the run.
pub const STOPPED: u8 = 130;

/// Prints warnings.
pub fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
}

/// Prints an error with its remedy.
pub fn print_error(error: Error) {
    say(&format!("{:?}", miette::Report::new(error)));
}
