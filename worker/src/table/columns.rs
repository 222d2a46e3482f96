//! Comparison of a table's columns with the declared ones.

use std::collections::BTreeMap;
use std::path::Path;

use super::read::schema;
use super::types::type_name;
use crate::code::Code;
use crate::error::{Error, Result};

/// Checks that the table at `path` has exactly the declared columns. An empty declaration allows any columns.
///
/// # Errors
/// Returns an error if a column is missing, not declared, or of another type. The message names all of them.
pub fn check_columns(path: &Path, declared: &BTreeMap<String, String>) -> Result<()> {
    let schema = schema(path)?;
    let found: BTreeMap<String, String> =
        schema.fields().iter().map(|f| (f.name().clone(), type_name(f.data_type()))).collect();
    if declared.is_empty() || found == *declared {
        return Ok(());
    }
    let mut faults = Vec::new();
    for (name, wanted) in declared {
        match found.get(name) {
            None => faults.push(format!("`{name}` is missing")),
            Some(kind) if kind != wanted => faults.push(format!("`{name}` is {kind}, not {wanted}")),
            Some(_) => {}
        }
    }
    let foreign = found.keys().filter(|name| !declared.contains_key(*name));
    faults.extend(foreign.map(|name| format!("`{name}` is not declared")));
    Err(Error::user_error(
        Code::WorkerOutput,
        format!("the columns of {} do not match stage.toml: {}", path.display(), faults.join("; ")),
        "write the columns that stage.toml declares, or declare the columns that the stage writes",
    ))
}
