//! Publication of a worker's outputs: checks them, then moves them into the store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result, list};
use callsheet_worker::protocol::RequestInput;
use callsheet_worker::table::{
    JsonOptions, TableWriter, check_columns, declared_schema, read_json, row_count,
};
use litemap::LiteMap;

use crate::checks::{check_count, check_table};
use crate::declare::{ArtifactKind, ChecksDecl, OutputDecl, TableFormat};
use crate::plan::StageInstance;
use crate::store::{Object, Store};

/// Checks all outputs of `stage` in the folder `out`, then publishes them.
///
/// # Errors
/// Returns an error if an output is missing, empty, undeclared or not as declared, or the store cannot be
/// written.
pub(super) fn publish(
    store: &Store,
    stage: &StageInstance,
    out: &Path,
    footer: &BTreeMap<String, String>,
    inputs: &BTreeMap<String, RequestInput>,
) -> Result<LiteMap<String, Object>> {
    let declared = &stage.decl.outputs;
    for output in declared.values().filter(|output| output.format == TableFormat::Json) {
        convert(output, out, footer)?;
    }
    for entry in fs::read_dir(out).io_context("cannot list", out)? {
        let name = entry.io_context("cannot list", out)?.file_name();
        if !declared.values().any(|o| name == o.path.as_str()) {
            let known = list(declared.values().map(|o| o.path.as_str()));
            let name = name.to_string_lossy();
            return Err(Error::user_error(
                Code::WorkerOutput,
                format!("stage `{}` wrote `{name}`, which it does not declare", stage.name),
                format!("declare `{name}` under [outputs], or write only the declared outputs: {known}"),
            ));
        }
    }
    for (name, output) in declared {
        let path = out.join(&output.path);
        if let Some((verb, form, help)) = problem(output, &path) {
            let message =
                format!("stage `{}` {verb} its output `{name}` ({}){form}", stage.name, output.path);
            return Err(Error::user_error(Code::WorkerOutput, message, help));
        }
        if output.kind == ArtifactKind::Table {
            check_columns(&path, &output.columns)?;
            check_table(&path, &output.checks, key_of(&output.checks))?;
            check_count(row_count(&path)?, &output.checks.rows, |name| table_of(inputs, name))?;
        }
    }
    let publish = |(name, output): (&String, &OutputDecl)| {
        Ok((name.clone(), store.publish(output.kind, &out.join(&output.path))?))
    };
    declared.iter().map(publish).collect()
}

/// Returns the verb and the form that describe a missing or unfit output, and the remedy; `None` if the output can be
/// published.
fn problem(output: &OutputDecl, path: &Path) -> Option<(&'static str, &'static str, &'static str)> {
    // Links are rejected: with a link, somebody else's folder would become a part of the store.
    let Ok(found) = fs::symlink_metadata(path) else {
        return Some(("did not write", "", "write the output to the path that the worker gets for it"));
    };
    let folder = output.kind == ArtifactKind::Directory;
    match (found.is_symlink(), found.is_dir()) {
        (true, _) => return Some(("wrote", " as a link", "write a file or folder, not a link")),
        (_, true) if !folder => {
            return Some(("wrote", " as a folder", "write a file, or declare another `kind`"));
        }
        _ if !found.is_file() && !found.is_dir() => {
            return Some(("wrote", " as a pipe, socket or device", "write a file or folder"));
        }
        (_, false) if folder => {
            return Some(("wrote", " as a file", "write a folder, or declare another `kind`"));
        }
        _ => {}
    }
    let empty = if folder {
        fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
    } else {
        found.len() == 0
    };
    let allowed = output.allow_empty && output.kind != ArtifactKind::Table;
    let help = if output.kind == ArtifactKind::Table {
        "write a Parquet file with a schema, also if it has no rows"
    } else {
        "write content, or declare `allow_empty = true` if the output may be empty"
    };
    (empty && !allowed).then_some(("wrote", ", which is empty", help))
}

/// Returns the column that identifies rows in messages: the first column that is unique by itself.
fn key_of(checks: &ChecksDecl) -> Option<&str> {
    checks.keys().find_map(|key| if let [name] = key[..] { Some(name) } else { None })
}

/// Path of the table of an input.
pub(super) fn table_of<'a>(inputs: &'a BTreeMap<String, RequestInput>, name: &str) -> Option<&'a Path> {
    inputs.get(name)?.paths.first().map(PathBuf::as_path)
}

/// Returns the path that a worker must write an output to.
pub(super) fn written_to(output: &OutputDecl, out: &Path) -> PathBuf {
    // The suffix is appended: outputs `t.parquet` and `t.pq` must not share a file.
    let suffix = if output.format == TableFormat::Json { ".ndjson" } else { "" };
    out.join(format!("{}{suffix}", output.path))
}

/// Converts the JSON lines that a worker wrote to a table; does nothing if their file does not exist.
fn convert(output: &OutputDecl, out: &Path, footer: &BTreeMap<String, String>) -> Result<()> {
    let (from, to) = (written_to(output, out), out.join(&output.path));
    if !fs::symlink_metadata(&from).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    let schema = declared_schema(&output.columns);
    let mut writer = TableWriter::create(&to, schema.as_ref().clone(), footer)?;
    read_json(&from, &schema, JsonOptions { whole: true, texts: false }, |rows| writer.write(&rows))?;
    writer.finish()?;
    fs::remove_file(&from).io_context("cannot remove", &from)
}
