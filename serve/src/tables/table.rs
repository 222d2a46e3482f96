//! A table that stays open: its columns, and the values that were read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::DataType;
use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::table::{Cells, IndexedTable, type_name};
use serde::Serialize;

use super::values::Values;

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
    pub index: IndexedTable,
    pub columns: Vec<Column>,
    values: Mutex<HashMap<String, Arc<Values>>>,
    images: Mutex<HashMap<String, Arc<Cells>>>,
    selected: Mutex<Vec<Selected>>,
}

/// Column of a table.
#[derive(Clone, Serialize)]
pub(crate) struct Column {
    pub name: String,
    /// Name of the type, such as `float32`.
    #[serde(rename = "type")]
    pub kind: String,
    pub shown: Shown,
}

/// How the values of a column are shown.
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
        let schema = index.schema()?;
        let column = |field: &arrow::datatypes::FieldRef| Column {
            name: field.name().clone(),
            kind: type_name(field.data_type()),
            shown: shown(field.data_type(), index.size(field.name()) / index.rows().max(1)),
        };
        let columns = schema.fields().iter().map(column).collect();
        let (values, images, selected) = Default::default();
        Ok(Self { digest, path: path.to_owned(), index, columns, values, images, selected })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u32 {
        self.index.rows() as u32
    }

    /// Names of the columns of numbers and texts.
    pub(crate) fn readable(&self) -> impl Iterator<Item = &str> {
        let readable =
            self.columns.iter().filter(|column| matches!(column.shown, Shown::Number | Shown::Text));
        readable.map(|column| column.name.as_str())
    }

    /// Returns all values of a column, which stay in memory.
    ///
    /// # Errors
    /// Returns an error if the table has no such column of numbers or texts, or it is too large or damaged.
    pub(crate) fn values(&self, column: &str) -> Result<Arc<Values>> {
        if let Some(values) = self.read_before(column) {
            return Ok(values);
        }
        if !self.readable().any(|name| name == column) {
            let message = format!("the table has no column `{column}` of numbers or texts");
            return Err(Error::user_error(Code::UnknownName, message, suggest(column, self.readable())));
        }
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
        let batch = self.index.read(&[column], 0, self.index.rows())?;
        let values = Arc::new(Values::of(batch.column(0))?);
        lock(&self.values).insert(column.to_owned(), values.clone());
        Ok(values)
    }

    /// Returns all values of a column if they are in memory.
    pub(crate) fn read_before(&self, column: &str) -> Option<Arc<Values>> {
        lock(&self.values).get(column).cloned()
    }

    /// Returns a column of images.
    ///
    /// # Errors
    /// Returns an error if the table has no such column.
    pub(crate) fn images(&self, column: &str) -> Result<Arc<Cells>> {
        let mut images = lock(&self.images);
        if let Some(cells) = images.get(column) {
            return Ok(cells.clone());
        }
        let cells = Arc::new(Cells::open(&self.path, column)?);
        images.insert(column.to_owned(), cells.clone());
        Ok(cells)
    }

    /// Returns the rows of a selection, which `select` determines if they are not kept.
    pub(crate) fn selected(
        &self,
        selection: &str,
        select: impl FnOnce() -> Result<Vec<u32>>,
    ) -> Result<Arc<Vec<u32>>> {
        let kept =
            lock(&self.selected).iter().find(|(kept, _)| kept == selection).map(|(_, rows)| rows.clone());
        if let Some(rows) = kept {
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

    /// Size of the values and selections in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let values: usize = lock(&self.values).values().map(|values| values.bytes()).sum();
        let rows: usize = lock(&self.selected).iter().map(|(_, rows)| rows.len()).sum();
        values + rows * size_of::<u32>()
    }
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
