//! The table of missing rows that a worker is given, and which rows those are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::datatypes::Schema;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Doing, Result};
use callsheet_worker::table::{Rows, TableWriter, gather, part_files, rows_at_once, schema};

use super::wanted::Wanted;
use crate::declare::RowsDecl;

/// The rows that a worker was asked for, in the order of their key.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Their keys.
    pub keys: Vec<String>,
    /// Digest of what each row depends on.
    pub inputs: Vec<Digest>,
    /// Raw files as they were then: the worker reads them while it works.
    pub watch: Option<Digest>,
}

impl Asked {
    /// Reads the file that [`write_missing`] wrote to a folder; `None` if it is missing or incomplete.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(ASKED)).ok()?).ok().map(|(keys, inputs, watch)| Self {
            keys,
            inputs,
            watch,
        })
    }
}

/// Writes rows of a table to a folder, in the table's order, with the columns that the worker is given.
///
/// # Errors
/// When the table cannot be read, or the disk is full.
pub(super) fn write_missing(
    table: &Path,
    rows: &RowsDecl,
    wanted: &Wanted,
    missing: &[usize],
    watch: &Digest,
    folder: &Path,
) -> Result<()> {
    let parts = part_files(table)?;
    let mut places: Vec<(u32, u64)> = missing.iter().map(|row| wanted.places[*row]).collect();
    places.sort_unstable();
    let chosen =
        |part: usize| places.iter().filter(|(p, _)| *p as usize == part).map(|(_, row)| *row).collect();
    let files: Vec<Rows> =
        parts.iter().enumerate().map(|(part, path)| Rows { path, chosen: Some(chosen(part)) }).collect();
    let order: Vec<u32> = places.iter().map(|(part, _)| *part).collect();
    let full = schema(table)?;
    let given = rows.given(full.fields().iter().map(|field| field.name().as_str()));
    let fields = full.fields().iter().filter(|field| given.contains(field.name().as_str()));
    let given: Vec<&str> = given.iter().copied().collect();
    let schema = Schema::new(fields.cloned().collect::<Vec<_>>());
    let mut writer = TableWriter::create(&folder.join(MISSING), schema, &BTreeMap::new())?;
    gather(&files, &given, &order, rows_at_once(&parts)?, |batch| writer.write(&batch))?;
    writer.finish()?;
    let keys: Vec<&String> = missing.iter().map(|row| &wanted.keys[*row]).collect();
    let inputs: Vec<&Digest> = missing.iter().map(|row| &wanted.inputs[*row]).collect();
    // Written last: the files next to it count only with it.
    let text = serde_json::to_vec(&(keys, inputs, watch)).expect("texts");
    fs::write(folder.join(ASKED), text).doing("cannot write", folder)
}

/// Name of the table.
pub(super) const MISSING: &str = "missing.parquet";
const ASKED: &str = "missing.json";
