//! Exit codes.

/// Done; two tables are the same, or nothing moved beyond `--max-psi`.
pub(crate) const SUCCESS: u8 = 0;
/// `--diff`: they differ.
pub(crate) const DIFFERENT: u8 = 1;
/// The command line, a query or a file is wrong.
pub(crate) const REFUSED: u8 = 2;
