//! Tables in the form that a worker gets: one Parquet file, unless the stage declares that it reads parts or
//! JSON lines.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::protocol::WorkRequest;
use callsheet_worker::table::{
    TableWriter, footer, part_files, read_batches, rows_at_once, schema, write_json,
};

use crate::declare::{ArtifactKind, StageDecl, TableFormat};

/// Joins each table of several files into one Parquet file, or writes it as JSON lines, as the stage
/// declares. The new files are in the worker's own folder, with rows in the order of their key.
///
/// # Errors
/// Returns an error if a table cannot be read, or a file cannot be written.
pub(super) fn stage_inputs(request: &mut WorkRequest, decl: &StageDecl, folder: &Path) -> Result<()> {
    let inputs = folder.join("inputs");
    for (name, input) in &mut request.inputs {
        let declared = &decl.inputs[name];
        let json = declared.format == TableFormat::Json;
        if declared.kind != ArtifactKind::Table || declared.parts && !json {
            continue;
        }
        for (number, path) in input.paths.iter_mut().enumerate().filter(|(_, path)| json || path.is_dir()) {
            let parts = part_files(path)?;
            if parts.len() == 1 && !json {
                path.clone_from(&parts[0]);
                continue;
            }
            fs::create_dir_all(&inputs).io_context("cannot create", &inputs)?;
            let to = inputs.join(format!("{name}-{number}.{}", if json { "ndjson" } else { "parquet" }));
            if json {
                write_json(path, &to)?
            } else {
                join(path, &parts, &to)?
            }
            *path = to;
        }
    }
    Ok(())
}

fn join(table: &Path, parts: &[PathBuf], to: &Path) -> Result<()> {
    let mut writer = TableWriter::create(to, schema(table)?.as_ref().clone(), &footer(&parts[0])?)?;
    read_batches(table, &[], rows_at_once(parts)?, |rows| writer.write(&rows))?;
    writer.finish()
}
