//! Footers of a table's files.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use callsheet_panics::caught;
use miette::{IntoDiagnostic, Result, miette};
use polars::prelude::{ParquetReader, SerReader};
use serde::Serialize;

use crate::code;
use crate::damage::{opened, unreadable};

/// Prefix of the keys that callsheet writes.
const PREFIX: &str = "callsheet.";

/// File of a table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Part {
    /// Path of the file.
    pub path: PathBuf,
    /// Number of rows.
    pub rows: u64,
    /// Number of row groups.
    pub row_groups: usize,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Compressed and uncompressed size of each column, in bytes.
    pub columns: BTreeMap<String, (u64, u64)>,
    /// Values that callsheet wrote into the footer, by key without the prefix.
    pub pairs: BTreeMap<String, String>,
}

/// Reads the footer of one file.
///
/// # Errors
/// Returns an error if the file is not a Parquet file, or is incomplete.
pub(crate) fn read(path: &Path) -> Result<Part> {
    let file = File::open(path).map_err(|error| {
        let help = "check the path and its permissions; `callsheet ls` lists the artifacts";
        miette!(code = code::UNREADABLE, help = help, "cannot open {}: {error}", path.display())
    })?;
    let bytes = file.metadata().into_diagnostic()?.len();
    let footer =
        caught(|| ParquetReader::new(file).get_metadata().cloned().map_err(|error| error.to_string()));
    let footer = footer.and_then(|read| read).map_err(|reason| unreadable(path, &reason))?;
    opened(path, footer.num_rows as u64, bytes);
    let pairs = footer.key_value_metadata.iter().flatten();
    let own = pairs.filter_map(|kv| Some((kv.key.strip_prefix(PREFIX)?.to_owned(), kv.value.clone()?)));
    let mut columns: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for chunk in footer.row_groups.iter().flat_map(|group| group.parquet_columns()) {
        let name = chunk.descriptor().path_in_schema[0].to_string();
        let (packed, plain) = columns.entry(name).or_default();
        *packed += chunk.compressed_size().max(0) as u64;
        *plain += chunk.uncompressed_size().max(0) as u64;
    }
    Ok(Part {
        path: path.to_owned(),
        rows: footer.num_rows as u64,
        row_groups: footer.row_groups.len(),
        bytes,
        columns,
        pairs: own.collect(),
    })
}
