//! Rows of another table by key.

use std::collections::HashMap;

use arrow::array::{Array, StringArray, UInt32Array};
use arrow::compute::take;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use super::table::{Column, Shown, Table};
use super::values::{MISSING, Values};

/// Row of another table that does not exist.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// Returns the column by which rows of `other` can be found: the first one of `other` that both tables have. `None` if the
/// tables have no such column of texts or integers.
pub(crate) fn common_key(table: &[Column], other: &[Column]) -> Option<String> {
    let is_key = |column: &&Column| match column.shown {
        Shown::Text => true,
        Shown::Number => column.kind.contains("int"),
        Shown::Image | Shown::Unread => false,
    };
    let in_both =
        |column: &&Column| table.iter().any(|own| own.name == column.name && own.kind == column.kind);
    other.iter().filter(is_key).find(in_both).map(|column| column.name.clone())
}

/// Returns the row of `other` for each row of `table`, or [`NO_ROW`], by the column `key` of both. `name` is that of `other`.
///
/// # Errors
/// Returns an error if two rows of `other` have one key, or a column cannot be read.
pub(crate) fn matching_rows(table: &Table, other: &Table, key: &str, name: &str) -> Result<Vec<u32>> {
    let known = other.values(key)?.texts();
    let wanted = table.values(key)?.texts();
    let mut rows: HashMap<&str, u32> = HashMap::with_capacity(known.len());
    for (row, key_of_row) in known.iter().enumerate() {
        let Some(key_of_row) = key_of_row else { continue };
        if rows.insert(key_of_row, row as u32).is_some() {
            let message = format!("`{name}` has several rows with the {key} {key_of_row:?}");
            let help = "add columns of a table with one row for each key";
            return Err(Error::user_error(Code::Unsupported, message, help));
        }
    }
    if known.null_count() == 0 && known == wanted {
        return Ok((0..table.rows()).collect());
    }
    Ok(wanted.iter().map(|key| key.and_then(|key| rows.get(key).copied()).unwrap_or(NO_ROW)).collect())
}

/// Returns the values of these rows of another table; a value is missing where the row is [`NO_ROW`].
pub(crate) fn taken(values: &Values, rows: &[u32]) -> Values {
    let places: UInt32Array = rows.iter().map(|row| (*row != NO_ROW).then_some(*row)).collect();
    match values {
        Values::Numbers(numbers) => Values::Numbers(take(numbers, &places, None).expect("rows of the table")),
        Values::Texts(texts) => {
            let texts = take(texts, &places, None).expect("rows of the table");
            Values::Texts(texts.as_any().downcast_ref::<StringArray>().expect("texts").clone())
        }
        Values::Categories { codes, names } => {
            let code = |row: &u32| codes.get(*row as usize).copied().unwrap_or(MISSING);
            Values::Categories { codes: rows.iter().map(code).collect(), names: names.clone() }
        }
    }
}
