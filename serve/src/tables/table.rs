//! A table that stays open: its columns, and the values that were read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::Array;
use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef};
use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::table::{Cells, IndexedTable, read_batches, type_name};
use serde::Serialize;

use super::recent::Recent;
use super::values::Values;

/// Largest size of a column whose values are read at once, in bytes. Conditions and histograms use such columns only.
const LARGEST: u64 = 128 << 20;

/// Largest mean size of a value that is read to be shown, in bytes.
const LARGEST_VALUE: u64 = 16 << 10;

/// Number of rows that are read at once.
const BATCH: usize = 1 << 13;

/// Largest size of the values of a table that stay in memory, in bytes.
const BYTES: usize = 192 << 20;

/// Numbers of columns and of selections that are kept.
const COLUMNS: usize = 200;
const SELECTIONS: usize = 4;

/// Table that stays open.
pub(crate) struct Table {
    pub digest: Digest,
    path: PathBuf,
    index: IndexedTable,
    pub columns: Vec<Column>,
    /// Values of columns, also of other tables whose rows were found.
    pub(crate) values: Recent<Values>,
    images: Recent<Cells>,
    /// Rows of selections, by conditions and order.
    pub(crate) selected: Recent<Vec<u32>>,
    /// Rows of other tables for the rows of this one, by the other table and the key.
    pub(crate) joined: Recent<Vec<u32>>,
    /// Verdicts on the rows, by the digest of their file.
    pub(crate) verdicts: Recent<Values>,
}

/// Column of a table.
#[derive(Clone, Serialize)]
pub(crate) struct Column {
    pub name: String,
    /// Name of the type, such as `float32`.
    #[serde(rename = "type")]
    pub kind: String,
    pub shown: Shown,
    /// Name of the other artifact that has the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Form in which the values of a column are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shown {
    Number,
    Text,
    Image,
    /// Not at all, because they can be large: vectors, lists, bytes and long texts.
    Unread,
}

impl Table {
    /// Opens the table with this content.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or has more rows than the server can select from.
    pub(crate) fn open(path: &Path, digest: Digest) -> Result<Self> {
        let index = IndexedTable::open(path)?;
        if index.rows() > u64::from(u32::MAX) {
            let message = format!("the table has {} rows, which are too many for this page", index.rows());
            return Err(Error::user_error(
                Code::Unsupported,
                message,
                "query it with `callsheet inspect --sql`",
            ));
        }
        let columns = columns_of(&index)?;
        Ok(Self {
            digest,
            path: path.to_owned(),
            index,
            columns,
            values: Recent::new(COLUMNS),
            images: Recent::new(COLUMNS),
            selected: Recent::new(SELECTIONS),
            joined: Recent::new(SELECTIONS),
            verdicts: Recent::new(1),
        })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u32 {
        self.index.rows() as u32
    }

    /// Returns all values of a column of numbers or texts, which stay in memory.
    ///
    /// # Errors
    /// Returns an error if the column is too large or damaged.
    pub(crate) fn values(&self, column: &str) -> Result<Arc<Values>> {
        let values = self.values.get_or(column, || self.read(column))?;
        self.values.shrink(BYTES, Values::bytes);
        Ok(values)
    }

    /// Returns what `of` reads from the values of these rows. If a part of the file is damaged, values that can be read are
    /// found one by one, others are `None`, and `problem` becomes the reason.
    pub(crate) fn each<T>(
        &self,
        column: &str,
        rows: &[u32],
        problem: &mut Option<Error>,
        of: impl Fn(&Values, usize) -> T,
    ) -> Vec<Option<T>> {
        if let Some(values) = self.values.get(column) {
            return rows.iter().map(|row| Some(of(&values, *row as usize))).collect();
        }
        match self.read_at(column, rows) {
            Ok(values) => (0..rows.len()).map(|row| Some(of(&values, row))).collect(),
            Err(error) => {
                problem.get_or_insert(error);
                let single = |row: &u32| self.read_at(column, &[*row]).ok().map(|value| of(&value, 0));
                rows.iter().map(single).collect()
            }
        }
    }

    fn read_at(&self, column: &str, rows: &[u32]) -> Result<Values> {
        let rows: Vec<u64> = rows.iter().map(|row| u64::from(*row)).collect();
        Values::of(self.index.read_at(&[column], &rows)?.column(0))
    }

    /// Reads a whole column, unless it is too large. A file can have each text once and be much smaller than its texts.
    fn read(&self, column: &str) -> Result<Values> {
        let too_large = |size: u64| {
            let message =
                format!("column `{column}` has more than {} MB, too many for conditions", size >> 20);
            Error::user_error(Code::Unsupported, message, "query it with `callsheet inspect --sql`")
        };
        if self.index.size(column) > LARGEST {
            return Err(too_large(LARGEST));
        }
        let (mut parts, mut size) = (Vec::new(), 0);
        read_batches(&self.path, &[column], BATCH, |batch| {
            size += batch.column(0).get_array_memory_size() as u64;
            parts.push(batch.column(0).clone());
            if size > LARGEST { Err(too_large(LARGEST)) } else { Ok(()) }
        })?;
        let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
        let whole = concat(&parts).map_err(|error| {
            Error::user_error(Code::Unsupported, format!("column `{column}` cannot be read: {error}"), "")
        })?;
        Values::of(&whole)
    }

    /// Returns a column of images.
    ///
    /// # Errors
    /// Returns an error if the table has no such column.
    pub(crate) fn images(&self, column: &str) -> Result<Arc<Cells>> {
        self.images.get_or(column, || Cells::open(&self.path, column))
    }

    /// Size of the values and rows in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let rows = self.selected.sum(Vec::len) + self.joined.sum(Vec::len);
        self.values.sum(Values::bytes) + self.verdicts.sum(Values::bytes) + rows * size_of::<u32>()
    }
}

impl Column {
    /// The column, as a column of the artifact `name` next to those of another one.
    pub(crate) fn of(&self, name: &str) -> Self {
        Self { name: format!("{name}.{}", self.name), from: Some(name.to_owned()), ..self.clone() }
    }
}

/// Returns the columns of a table.
///
/// # Errors
/// Returns an error if the table cannot be read.
pub(crate) fn columns(path: &Path) -> Result<Vec<Column>> {
    columns_of(&IndexedTable::open(path)?)
}

fn columns_of(index: &IndexedTable) -> Result<Vec<Column>> {
    let column = |field: &FieldRef| Column {
        name: field.name().clone(),
        kind: type_name(field.data_type()),
        shown: shown(field.data_type(), index.size(field.name()) / index.rows().max(1)),
        from: None,
    };
    Ok(index.schema()?.fields().iter().map(column).collect())
}

fn shown(kind: &DataType, mean_size: u64) -> Shown {
    match kind {
        kind if type_name(kind) == "image" => Shown::Image,
        kind if kind.is_numeric() => Shown::Number,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Shown::Unread
        }
        kind if kind.is_nested() || mean_size > LARGEST_VALUE => Shown::Unread,
        _ => Shown::Text,
    }
}
