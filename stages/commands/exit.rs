//! Exit codes.

/// The command found problems.
pub(super) const FOUND: u8 = 1;
/// The command line or a file is invalid.
pub(super) const REFUSED: u8 = 2;
