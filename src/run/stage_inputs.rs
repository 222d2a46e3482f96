//! Inputs in the form that a worker gets: each table is one Parquet file, unless the stage declares that it reads
//! parts or JSON lines.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::Field;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::protocol::WorkRequest;
use callsheet_worker::table::{
    TableWriter, footer, part_files, read_batches, rows_at_once, schema, type_name, write_json,
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
                write_json(path, &to)?;
                if let Some(declared) = request.declared.inputs.get_mut(name) {
                    let fields = schema(path)?;
                    let typed = |field: &Arc<Field>| (field.name().clone(), type_name(field.data_type()));
                    declared.columns = fields.fields().iter().map(typed).collect();
                }
            } else {
                join(path, &parts, &to)?
            }
            *path = to;
        }
    }
    Ok(())
}

/// Replaces the inputs that are not in the worker's own folder by copies in it. Their paths below the `project` stay:
/// the name of a folder may be the label of an image.
///
/// # Errors
/// Returns an error if an input cannot be copied.
pub(super) fn copy_inputs(request: &mut WorkRequest, project: &Path, folder: &Path) -> Result<()> {
    let copies = folder.join("copies");
    for path in request.inputs.values_mut().flat_map(|input| &mut input.paths) {
        if path.starts_with(folder) {
            continue;
        }
        let below = path.strip_prefix(project).or_else(|_| path.strip_prefix("/")).unwrap_or(path);
        let to = copies.join(below);
        // Two inputs may contain one file.
        if fs::symlink_metadata(&to).is_err() {
            copy_tree(path, path, &to)?;
        }
        *path = to;
    }
    Ok(())
}

/// Copies a file, or a folder with its links and modes. A link that leads out of `root`, to a segment of a table, becomes a
/// copy of its file.
fn copy_tree(root: &Path, from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).io_context("cannot create", parent)?;
    }
    if from.is_dir() {
        fs::create_dir_all(to).io_context("cannot create", to)?;
        for entry in fs::read_dir(from).io_context("cannot list", from)? {
            let entry = entry.io_context("cannot list", from)?;
            let (inside, copy) = (entry.path(), to.join(entry.file_name()));
            let leads_out = || {
                let real = fs::canonicalize(&inside).and_then(|real| Ok((real, fs::canonicalize(root)?)));
                real.is_ok_and(|(real, root)| !real.starts_with(root))
            };
            if inside.is_symlink() && !leads_out() {
                let target = fs::read_link(&inside).io_context("cannot read", &inside)?;
                symlink(target, &copy).io_context("cannot create", &copy)?;
            } else {
                copy_tree(root, &inside, &copy)?;
            }
        }
        return Ok(());
    }
    fs::copy(from, to).io_context("cannot copy", from).map(drop)
}

fn join(table: &Path, parts: &[PathBuf], to: &Path) -> Result<()> {
    let mut writer = TableWriter::create(to, schema(table)?.as_ref().clone(), &footer(&parts[0])?)?;
    read_batches(table, &[], rows_at_once(parts)?, |rows| writer.write(&rows))?;
    writer.finish()
}
