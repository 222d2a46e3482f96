//! Sources of CSV files, JSON lines or images that a stage reads as a table: a built-in stage reads each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use callsheet_worker::error::{Result, suggest};
use callsheet_worker::table::parse_type;

use super::spec::{SourceSpec, Spec};
use super::wire::Files;
use crate::declare::{ArtifactKind, Project, READ_TABLE, StageDecl, TABLE, read_table_stage};
use crate::raw_table::{Format, format_of};

/// Types that a column of raw files can have.
const TYPES: [&str; 6] = ["string", "bool", "int32", "int64", "float32", "float64"];

/// Adds an instance of the built-in stage for each source that a stage reads as a table and that has no Parquet files,
/// and wires the readers to it.
///
/// # Errors
/// Returns an error if files of one source have several formats, a declared type is unknown, or the project has a stage
/// with the name of the built-in one.
pub(super) fn read_tables(
    project: &Project,
    spec: &mut Spec,
    decls: &mut Vec<Arc<StageDecl>>,
    files: &Files,
) -> Result<()> {
    let mut sources: BTreeMap<String, (String, Format)> = BTreeMap::new();
    for (stage, decl) in spec.stages.iter_mut().zip(&*decls) {
        for (input, (from, _)) in stage.inputs.iter_mut() {
            let is_table = decl.inputs.get(input).is_some_and(|input| input.kind == ArtifactKind::Table);
            let Some(Ok(found)) = files.get(from.as_str()).filter(|_| is_table) else { continue };
            let format = format_of(found.iter().map(|path| path.as_path()));
            let source = spec.sources.get(from.as_str());
            match (format, source) {
                (Ok(Some(format)), Some(_)) => {
                    let instance = table_of(from);
                    let artifact = format!("{instance}.{TABLE}");
                    sources.insert(std::mem::replace(from, artifact), (instance, format));
                }
                (Err(problem), Some(source)) => {
                    let help = "declare one source for each format".to_owned();
                    return Err(source.origin.declaration_error(problem, "this source", help));
                }
                _ => {}
            }
        }
    }
    check_columns(spec, files, &sources)?;
    for (source, (instance, format)) in sources {
        let declared = &spec.sources[&source];
        let (columns, origin) = (columns(&source, declared)?, declared.origin.clone());
        if spec.range(READ_TABLE).is_some() || spec.range(&instance).is_some() {
            let message = format!(
                "a stage has the name `{READ_TABLE}`, which callsheet uses to read source `{source}`"
            );
            return Err(origin.declaration_error(message, "this source", "rename the stage".into()));
        }
        spec.add(instance, (READ_TABLE.to_owned(), origin.clone()), None)?;
        let draft = spec.stages.last_mut().expect("it was just added");
        draft.inputs.insert("files".to_owned(), (source, origin.clone()));
        draft.params.insert("columns".to_owned(), (columns, origin));
        decls.push(Arc::new(read_table_stage(&project.root, format != Format::Images)?));
    }
    Ok(())
}

/// Refuses declared columns that nothing reads, because a misspelt name would otherwise have no effect.
fn check_columns(spec: &Spec, files: &Files, tables: &BTreeMap<String, (String, Format)>) -> Result<()> {
    let reads = |source: &String| {
        spec.stages.iter().any(|stage| stage.inputs.values().any(|(from, _)| from == source))
    };
    for (name, source) in &spec.sources {
        let exist = files.get(name).is_some_and(|files| files.as_ref().is_ok_and(|files| !files.is_empty()));
        if source.rest.columns.is_some() && exist && !tables.contains_key(name) && reads(name) {
            let message = format!(
                "source `{name}` declares `columns`, but no stage reads CSV files or JSON lines of it as a table"
            );
            let help = "remove `columns`, or declare the input of the stage with kind = \"table\"".to_owned();
            return Err(source.origin.declaration_error(message, "this source", help));
        }
    }
    Ok(())
}

/// Returns the name of the instance of the built-in stage that reads a source.
pub(super) fn table_of(source: &str) -> String {
    format!("{READ_TABLE}@{source}")
}

/// Returns the declared types of a source's columns as the parameter of the stage.
fn columns(name: &str, source: &SourceSpec) -> Result<toml::Value> {
    let declared = source.rest.columns.iter().flatten();
    let texts = declared.map(|(column, kind)| {
        if TYPES.contains(&kind.as_str()) && parse_type(kind).is_some() {
            return Ok(toml::Value::from(format!("{column}: {kind}")));
        }
        let message = format!("source `{name}` declares column `{column}` with the unknown type `{kind}`");
        Err(source.origin.declaration_error(message, "this source", suggest(kind, TYPES)))
    });
    texts.collect::<Result<Vec<_>>>().map(toml::Value::from)
}
