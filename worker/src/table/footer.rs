//! Footer of a table: pairs of names and values.

use std::collections::BTreeMap;
use std::path::Path;

use super::file::TableFile;
use crate::error::Result;

/// Prefix of the names that callsheet writes into footers.
pub const FOOTER_PREFIX: &str = "callsheet.";

/// Version of the footer's names and of the conventions for columns (vectors, images, keys).
pub const SCHEMA_VERSION: &str = "1";

/// Name of the footer's pair with the column by which the rows are sorted.
pub const KEY: &str = "key";

/// Returns the key-value metadata of one file's footer, without the Arrow schema.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn footer(path: &Path) -> Result<BTreeMap<String, String>> {
    let file = TableFile::open(path)?;
    let pairs = file.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let pairs = pairs.into_iter().filter(|kv| kv.key != "ARROW:schema");
    Ok(pairs.map(|kv| (kv.key, kv.value.unwrap_or_default())).collect())
}
