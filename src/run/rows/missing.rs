//! The table of missing rows that a worker is given.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::datatypes::Schema;

use super::wanted::Wanted;
use crate::declare::RowsDecl;
use crate::error::Result;
use crate::table::{Rows, TableWriter, gather, part_files, rows_at_once, schema};

/// Writes rows of a table to `to`, in the table's order, with the columns that the worker is given.
///
/// # Errors
/// When the table cannot be read, or the disk is full.
pub fn write_missing(
    table: &Path,
    rows: &RowsDecl,
    wanted: &Wanted,
    missing: &[usize],
    to: &Path,
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
    let mut writer = TableWriter::create(to, schema, &BTreeMap::new())?;
    gather(&files, &given, &order, rows_at_once(&parts[0])?, |batch| writer.write(&batch))?;
    writer.finish()
}
