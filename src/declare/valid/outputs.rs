//! Outputs of a stage: where they are written, how, and how they are shown.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use callsheet_worker::error::{Fault, Result, SourceText};
use callsheet_worker::table::parse_type;
use toml::Spanned;

use crate::declare::artifact::{ArtifactKind, OutputDecl, TableFormat};
use crate::declare::stage_file::StageFile;

/// Checks every output by itself, and that no two are written to one path.
pub(super) fn check(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    let mut paths = BTreeSet::new();
    for (output, decl) in &file.outputs {
        check_output(output, decl, source)?;
        if !paths.insert(&decl.path) {
            let message = format!("two outputs are written to `{}`", decl.path);
            return Err(Fault::new(source, output.span(), message, "the second of them")
                .with_help("give each output a `path` of its own")
                .into());
        }
    }
    Ok(())
}

fn check_output(output: &Spanned<String>, decl: &OutputDecl, source: &Arc<SourceText>) -> Result<()> {
    let name = output.get_ref();
    let bad = |message: String, help: &str| {
        Err(Fault::new(source, output.span(), message, "declared here").with_help(help).into())
    };
    if !is_one_name(&decl.path) || decl.kind == ArtifactKind::Files {
        let help = "`path` is one plain name; `kind` is table, file or directory";
        return bad(format!("output `{name}` cannot be written to `{}`", decl.path), help);
    }
    if decl.format == TableFormat::Json && (decl.kind != ArtifactKind::Table || decl.columns.is_empty()) {
        let help = "format = \"json\" is for a table whose columns are declared: JSON has no types";
        return bad(format!("output `{name}` cannot be made of JSON lines"), help);
    }
    if let Some(figure) = decl.figure.filter(|figure| figure.of() != decl.kind) {
        let (figure, wanted) = (lowercase(figure), lowercase(figure.of()));
        let message = format!("output `{name}` cannot be shown as {figure:?}");
        return bad(message, &format!("figure = {figure:?} is for an output of kind = {wanted:?}"));
    }
    if let Some((column, kind)) = decl.columns.iter().find(|(_, kind)| parse_type(kind).is_none()) {
        let message = format!("column `{column}` of output `{name}` has the unknown type {kind:?}");
        return bad(message, COLUMN_TYPES);
    }
    Ok(())
}

fn is_one_name(path: &str) -> bool {
    let plain = path.len() <= LONGEST_PATH && !path.contains(char::is_control);
    plain
        && Path::new(path).components().count() == 1
        && Path::new(path).file_name().is_some_and(|n| n == path)
}

/// A variant as it is written in a declaration.
fn lowercase(variant: impl std::fmt::Debug) -> String {
    format!("{variant:?}").to_lowercase()
}

/// The types that columns can be declared with.
const COLUMN_TYPES: &str =
    "one of string, bool, int32, int64, float32, float64, binary, image, list<TYPE>, TYPE[LENGTH]";

/// Longest name of an output's file; file systems take 255 bytes.
const LONGEST_PATH: usize = 200;
