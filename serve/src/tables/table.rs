//! A table that stays open: its columns, and the values that were read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::{DataType, FieldRef};
use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::table::{Cells, IndexedTable, type_name};
use serde::Serialize;

use super::values::{Cell, Values};

/// Largest size of a column whose values are read at once, in bytes. Conditions and histograms use such columns only.
const LARGEST: u64 = 128 << 20;

/// Largest mean size of a value that is read to be shown, in bytes.
const LARGEST_VALUE: u64 = 16 << 10;

/// Number of selections that are kept.
const SELECTIONS: usize = 4;

/// Conditions and order of a selection as text, and its rows.
type Selected = (String, Arc<Vec<u32>>);

/// Table that stays open.
pub(crate) struct Table {
    pub digest: Digest,
    path: PathBuf,
    index: IndexedTable,
    pub columns: Vec<Column>,
    values: Mutex<HashMap<String, Arc<Values>>>,
    images: Mutex<HashMap<String, Arc<Cells>>>,
    selected: Mutex<Vec<Selected>>,
    /// Rows of other tables for the rows of this one, by the other table and the key.
    joined: Mutex<HashMap<String, Arc<Vec<u32>>>>,
    /// Verdicts on the rows, and the digest of their file.
    verdicts: Mutex<Option<(Digest, Arc<Values>)>>,
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
    pub(super) fn open(path: &Path, digest: Digest) -> Result<Self> {
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
        let (values, images, selected, joined, verdicts) = Default::default();
        Ok(Self { digest, path: path.to_owned(), index, columns, values, images, selected, joined, verdicts })
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> u32 {
        self.index.rows() as u32
    }

    /// Returns all values of a column of numbers or texts, which stay in memory.
    ///
    /// # Errors
    /// Returns an error if the column is too large or damaged.
    pub(crate) fn values(&self, column: &str) -> Result<Arc<Values>> {
        self.kept(column, || {
            let size = self.index.size(column);
            if size > LARGEST {
                let message =
                    format!("column `{column}` has {} MB, which is too much for conditions", size >> 20);
                return Err(Error::user_error(
                    Code::Unsupported,
                    message,
                    "query it with `callsheet inspect --sql`",
                ));
            }
            self.read(column, None)
        })
    }

    /// Returns the values with this name that are kept, or those that `read` returns.
    pub(super) fn kept(&self, name: &str, read: impl FnOnce() -> Result<Values>) -> Result<Arc<Values>> {
        let kept = lock(&self.values).get(name).cloned();
        if let Some(values) = kept {
            return Ok(values);
        }
        let values = Arc::new(read()?);
        lock(&self.values).insert(name.to_owned(), values.clone());
        Ok(values)
    }

    /// Returns the values of these rows as they are shown. If a part of the file is damaged, values that can be read are
    /// found one by one, others are missing, and `problem` becomes the reason.
    pub(super) fn cells(&self, column: &str, rows: &[u32], problem: &mut Option<Error>) -> Vec<Cell> {
        let kept = lock(&self.values).get(column).cloned();
        if let Some(values) = kept {
            return rows.iter().map(|row| values.cell(*row as usize)).collect();
        }
        match self.read(column, Some(rows)) {
            Ok(values) => (0..rows.len()).map(|row| values.cell(row)).collect(),
            Err(error) => {
                problem.get_or_insert(error);
                let cell =
                    |row: &u32| self.read(column, Some(&[*row])).map_or(Cell::Missing, |value| value.cell(0));
                rows.iter().map(cell).collect()
            }
        }
    }

    /// Reads these rows of a column, or all of them.
    fn read(&self, column: &str, rows: Option<&[u32]>) -> Result<Values> {
        let batch = match rows {
            None => self.index.read(&[column], 0, self.index.rows())?,
            Some(rows) => {
                let rows: Vec<u64> = rows.iter().map(|row| u64::from(*row)).collect();
                self.index.read_at(&[column], &rows)?
            }
        };
        Values::of(batch.column(0))
    }

    /// Returns a column of images.
    ///
    /// # Errors
    /// Returns an error if the table has no such column.
    pub(super) fn images(&self, column: &str) -> Result<Arc<Cells>> {
        let mut images = lock(&self.images);
        if let Some(cells) = images.get(column) {
            return Ok(cells.clone());
        }
        let cells = Arc::new(Cells::open(&self.path, column)?);
        images.insert(column.to_owned(), cells.clone());
        Ok(cells)
    }

    /// Returns the rows of a selection if they are kept.
    pub(super) fn kept_selection(&self, selection: &str) -> Option<Arc<Vec<u32>>> {
        let mut kept = lock(&self.selected);
        let at = kept.iter().position(|(kept, _)| kept == selection)?;
        let used = kept.remove(at);
        let rows = used.1.clone();
        // The one that was used last is dropped last.
        kept.push(used);
        Some(rows)
    }

    /// Returns the rows of a selection, which `select` determines if they are not kept.
    pub(super) fn selected(
        &self,
        selection: &str,
        select: impl FnOnce() -> Result<Vec<u32>>,
    ) -> Result<Arc<Vec<u32>>> {
        if let Some(rows) = self.kept_selection(selection) {
            return Ok(rows);
        }
        let rows = Arc::new(select()?);
        let mut kept = lock(&self.selected);
        kept.push((selection.to_owned(), rows.clone()));
        if kept.len() > SELECTIONS {
            kept.remove(0);
        }
        Ok(rows)
    }

    /// Returns the rows of another table for the rows of this one, which `join` determines if they are not kept.
    pub(super) fn joined(&self, id: &str, join: impl FnOnce() -> Result<Vec<u32>>) -> Result<Arc<Vec<u32>>> {
        let kept = lock(&self.joined).get(id).cloned();
        if let Some(rows) = kept {
            return Ok(rows);
        }
        let rows = Arc::new(join()?);
        lock(&self.joined).insert(id.to_owned(), rows.clone());
        Ok(rows)
    }

    /// Returns the verdicts on the rows by the file with this digest, which `read` determines if they are not kept.
    pub(super) fn verdicts(
        &self,
        digest: Digest,
        read: impl FnOnce() -> Result<Values>,
    ) -> Result<Arc<Values>> {
        let kept = lock(&self.verdicts).clone().filter(|(of, _)| *of == digest);
        if let Some((_, values)) = kept {
            return Ok(values);
        }
        let values = Arc::new(read()?);
        *lock(&self.verdicts) = Some((digest, values.clone()));
        Ok(values)
    }

    /// Size of the values and rows in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let values: usize = lock(&self.values).values().map(|values| values.bytes()).sum();
        let selected: usize = lock(&self.selected).iter().map(|(_, rows)| rows.len()).sum();
        let joined: usize = lock(&self.joined).values().map(|rows| rows.len()).sum();
        values + (selected + joined) * size_of::<u32>()
    }
}

impl Column {
    /// The column, as a column of the artifact `name` next to those of another one.
    pub(super) fn of(&self, name: &str) -> Self {
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
