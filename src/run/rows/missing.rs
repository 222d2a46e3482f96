//! Table of missing rows that a worker gets, and the list of these rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::datatypes::Schema;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table::{RowKey, Rows, TableWriter, gather, part_files, rows_at_once, schema};

use super::required::RequiredRows;
use crate::declare::RowsDecl;

/// Rows that a worker must compute, in the order of their key.
#[derive(Debug, Default)]
pub(super) struct PendingRows {
    /// Their keys.
    pub keys: Vec<RowKey>,
    /// Digest of everything that each row depends on.
    pub inputs: Vec<Digest>,
    /// Digest of the state of raw files and scripts before the action's key was computed. The worker reads
    /// these files while it runs.
    pub watch: Option<Digest>,
}

impl PendingRows {
    /// Reads the list that [`write_missing`] wrote to a folder; `None` if it is missing or incomplete.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(ASKED)).ok()?).ok().map(|(keys, inputs, watch)| Self {
            keys,
            inputs,
            watch,
        })
    }
}

/// Writes the missing rows of a table to a folder, in the table's order, with the columns for the worker.
///
/// # Errors
/// Returns an error if the table cannot be read, or the disk is full.
pub(super) fn write_missing(
    table: &Path,
    rows: &RowsDecl,
    wanted: &RequiredRows,
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
    let keys: Vec<&RowKey> = missing.iter().map(|row| &wanted.keys[*row]).collect();
    let inputs: Vec<&Digest> = missing.iter().map(|row| &wanted.inputs[*row]).collect();
    // The list is written last, because the other files in the folder are valid only with it.
    let text = serde_json::to_vec(&(keys, inputs, watch)).expect("texts");
    fs::write(folder.join(ASKED), text).io_context("cannot write", folder)
}

/// File name of the table of missing rows.
pub(super) const MISSING: &str = "missing.parquet";
const ASKED: &str = "missing.json";
