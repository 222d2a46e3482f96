//! Limits of what is read from a weight file, which may be damaged or hostile.

/// Largest size of all arrays in bytes, as a file states it before they are read. VGG-19 in float64 has 1.15 GB.
pub(super) const MOST_BYTES: u64 = 2 << 30;

pub(super) const TOO_LARGE: &str = "its arrays are larger than any network's";

/// Largest number of entries of all dicts in a pickle. One dict can be an entry of many others.
pub(super) const MOST_ENTRIES: usize = 10_000;

/// Longest name in nested dicts, in bytes. A dict can contain itself.
pub(super) const LONGEST_NAME: usize = 1000;

pub(super) const TOO_MANY: &str = "it has more, or longer named, entries than any network";
