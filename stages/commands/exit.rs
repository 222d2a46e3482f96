//! Exit codes.

/// There is something to mend.
pub(super) const FOUND: u8 = 1;
/// The command line or a file is wrong.
pub(super) const REFUSED: u8 = 2;
