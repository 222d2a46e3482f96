//! Rows of a table as JSON, for the pages that scroll through them.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use serde::Serialize;

use crate::select::Selection;
use crate::tables::Cell;
use crate::view::View;

/// Number of rows in an answer.
pub(crate) const WINDOW: u32 = 64;

/// Part of the selected rows.
#[derive(Serialize)]
pub(crate) struct Rows {
    /// Number of selected rows.
    total: u32,
    rows: Vec<Row>,
    /// Version of the verdicts with which the rows were selected, if the selection depends on them.
    verdicts: String,
    /// The reason why values are missing, if a part of the table is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Row of a table.
#[derive(Serialize)]
struct Row {
    /// Position in the table, from 0.
    row: u32,
    /// Key of the row for verdicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Values of the columns of numbers and texts, in the order of the table.
    cells: Vec<Cell>,
}

/// Returns the selected rows from position `at` on.
///
/// # Errors
/// Returns an error if the rows cannot be selected.
pub(crate) fn rows(view: &View, selection: &Selection, at: u32) -> Result<Rows> {
    let (selected, verdicts) = selection.rows_before(view)?;
    let positions = selected.window(at, WINDOW);
    let mut cells: Vec<Vec<Cell>> = positions.iter().map(|_| Vec::new()).collect();
    let mut error = None;
    for column in view.readable() {
        let found = view.cells(column, &positions, &mut error);
        cells.iter_mut().zip(found).for_each(|(row, cell)| row.push(cell));
    }
    let keys = view.keys(&positions, &mut error);
    let rows = positions.into_iter().zip(keys).zip(cells);
    let rows = rows.map(|((row, key), cells)| Row { row, key, cells }).collect();
    let problem = error.map(|error| sentence(&error)).or_else(|| view.verdicts_problem());
    Ok(Rows { total: selected.len(), rows, verdicts, problem })
}

fn sentence(error: &Error) -> String {
    match error.kind() {
        Code::Parquet | Code::Unreadable | Code::Io => {
            format!("{error}; `callsheet verify` finds damaged results, and the next run computes them again")
        }
        _ => error.to_string(),
    }
}
