//! Evaluation of the query engine's frames, and access to their values.

use std::path::Path;

use miette::{IntoDiagnostic, Report, Result, miette};
use polars::polars_utils::pl_path::PlRefPath;
use polars::prelude::*;

use crate::code;

/// Rows of the files of a table.
pub(crate) fn scan<'a>(files: impl Iterator<Item = &'a Path>) -> Result<LazyFrame> {
    let paths: Vec<PlRefPath> =
        files.map(|path| PlRefPath::try_from_path(path).into_diagnostic()).collect::<Result<_>>()?;
    let arguments = ScanArgsParquet { glob: false, ..ScanArgsParquet::default() };
    LazyFrame::scan_parquet_files(paths.into(), arguments).into_diagnostic()
}

/// Computes rows, in parts where that is possible.
///
/// # Errors
/// Returns an error if a column does not have the type that the query expects, or a file is damaged.
pub(crate) fn collect(frame: LazyFrame) -> Result<DataFrame> {
    let result = frame.collect_with_engine(Engine::Streaming).map_err(|error| failure(&error))?;
    Ok(result.unwrap_single())
}

/// Error of the query engine, with its code.
pub(crate) fn failure(error: &PolarsError) -> Report {
    let code = match error {
        PolarsError::IO { .. } => code::IO,
        PolarsError::ColumnNotFound(_) | PolarsError::StructFieldNotFound(_) => code::UNKNOWN_NAME,
        PolarsError::InvalidOperation(_) | PolarsError::SchemaMismatch(_) => code::UNSUPPORTED,
        _ => code::UNREADABLE,
    };
    miette!(code = code, "{}", message(error))
}

/// Message of an error of the query engine, without the plan of the query.
pub(crate) fn message(error: &PolarsError) -> String {
    error.to_string().split("\n\nResolved plan").next().unwrap_or_default().to_owned()
}

/// Number of rows in the query engine's type. A number that is too large becomes the largest one.
pub(crate) fn row_number(count: usize) -> IdxSize {
    IdxSize::try_from(count).unwrap_or(IdxSize::MAX)
}

/// Number in a column of the first row.
pub(crate) fn number(rows: &DataFrame, column: usize) -> Option<f64> {
    rows.columns().get(column)?.get(0).ok()?.extract::<f64>()
}

/// Short text of a number.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    match size {
        _ if number.fract() == 0.0 && size < 1e9 => format!("{number}"),
        _ if size != 0.0 && !(1e-3..1e6).contains(&size) => format!("{number:.3e}"),
        _ => {
            let text = format!("{number:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// Column with exactly this name: no character in the name is a wildcard.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(name.into())
}
