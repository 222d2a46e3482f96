//! Exit codes.

/// Success. With `--diff`: the tables are equal, or no column drifted beyond `--max-psi`.
pub(crate) const SUCCESS: u8 = 0;
/// With `--diff`: the tables differ.
pub(crate) const DIFFERENT: u8 = 1;
/// The command line, a query or a file is not valid.
pub(crate) const REFUSED: u8 = 2;
