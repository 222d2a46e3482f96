//! Validation of outputs: their paths, formats, figures and types of columns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use callsheet_worker::error::{DeclarationError, Result, SourceText, suggest};
use callsheet_worker::table::parse_type;
use toml::Spanned;

use crate::declare::artifact::{ArtifactKind, Figure, OutputDecl, TableFormat};
use crate::declare::stage_file::StageFile;

/// Validates every output, and checks that no two outputs have one path.
pub(super) fn check(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    let mut paths = BTreeSet::new();
    for (output, decl) in &file.outputs {
        check_output(output, decl, source)?;
        if !paths.insert(&decl.path) {
            let message = format!("two outputs are written to `{}`", decl.path);
            return Err(DeclarationError::new(source, output.span(), message, "second output")
                .with_help("give each output a different `path`")
                .into());
        }
    }
    Ok(())
}

fn check_output(output: &Spanned<String>, decl: &OutputDecl, source: &Arc<SourceText>) -> Result<()> {
    let name = output.get_ref();
    let bad = |message: String, help: &str| {
        Err(DeclarationError::new(source, output.span(), message, "declared here").with_help(help).into())
    };
    if decl.kind == ArtifactKind::Files {
        let help = "set `kind` to table, file or directory";
        return bad(format!("output `{name}` has the kind `files`, which only inputs can have"), help);
    }
    if !is_one_name(&decl.path) {
        let help = "set `path` to one name of at most 200 bytes, without folders and control characters";
        return bad(
            format!("output `{name}` has the path `{}`, which is not a plain file name", decl.path),
            help,
        );
    }
    if decl.format == TableFormat::Json && (decl.kind != ArtifactKind::Table || decl.columns.is_empty()) {
        let help =
            "use format = \"json\" only for a table with declared columns, because JSON does not store types";
        return bad(format!("output `{name}` cannot have the format `json`"), help);
    }
    if let Some((column, kind)) = decl.columns.iter().find(|(_, kind)| parse_type(kind).is_none()) {
        let message = format!("column `{column}` of output `{name}` has the unknown type `{kind}`");
        return bad(message, COLUMN_TYPES);
    }
    check_figure(output, decl, source)
}

/// Checks how a report shows an output.
fn check_figure(output: &Spanned<String>, decl: &OutputDecl, source: &Arc<SourceText>) -> Result<()> {
    let name = output.get_ref();
    let bad = |message: String, help: &str| {
        Err(DeclarationError::new(source, output.span(), message, "declared here").with_help(help).into())
    };
    if let Some(figure) = decl.figure.filter(|figure| figure.of() != decl.kind) {
        let (figure, wanted) = (lowercase(figure), lowercase(figure.of()));
        let message = format!("output `{name}` cannot be shown as figure `{figure}`");
        return bad(message, &format!("use figure = {figure:?} only for an output with kind = {wanted:?}"));
    }
    let has_pair = |columns: &BTreeMap<String, String>| {
        let mut panels = columns.keys().filter_map(|column| column.strip_suffix("_x"));
        panels.any(|panel| columns.contains_key(&format!("{panel}_y")))
    };
    if decl.figure == Some(Figure::Scatter) && !decl.columns.is_empty() && !has_pair(&decl.columns) {
        let message = format!("output `{name}` cannot be shown as figure `scatter`: it has no coordinates");
        return bad(message, "declare two columns NAME_x and NAME_y, e.g. `pca_x` and `pca_y`");
    }
    if decl.lead && decl.figure != Some(Figure::Picture) {
        return bad(
            format!("output `{name}` cannot lead a report"),
            "use lead = true only with figure = \"picture\"",
        );
    }
    if let Some(headline) = &decl.headline {
        if headline.measures.is_empty() || headline.own.is_empty() || headline.label.is_empty() {
            let message = format!("the headline of output `{name}` compares nothing");
            return bad(
                message,
                "name at least one column in `label`, one text in `own` and one of `measures`",
            );
        }
        let unknown = |column: &&str| !decl.columns.contains_key(*column);
        if let Some(column) = headline.columns().find(unknown) {
            let message =
                format!("the headline of output `{name}` names the column `{column}`, which is not declared");
            return bad(message, &suggest(column, decl.columns.keys().map(String::as_str)));
        }
    }
    Ok(())
}

fn is_one_name(path: &str) -> bool {
    let plain = path.len() <= LONGEST_PATH && !path.contains(char::is_control);
    plain
        && Path::new(path).components().count() == 1
        && Path::new(path).file_name().is_some_and(|n| n == path)
}

/// Returns a variant as declarations write it.
fn lowercase(variant: impl std::fmt::Debug) -> String {
    format!("{variant:?}").to_lowercase()
}

/// Help about the types of columns.
const COLUMN_TYPES: &str =
    "use string, bool, int32, int64, float32, float64, binary, image, list<TYPE> or TYPE[LENGTH]";

/// Largest length in bytes of the name of an output's file; file systems allow 255.
const LONGEST_PATH: usize = 200;
