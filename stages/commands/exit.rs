//! Exit codes.

/// There is something to mend.
pub const FOUND: u8 = 1;
/// The command line or a file is wrong.
pub const REFUSED: u8 = 2;
