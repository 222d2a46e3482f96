//! Rows of a table that satisfy conditions, in a chosen order.

mod condition;

use arrow::array::ArrayRef;
use arrow::compute::{SortOptions, sort_to_indices};
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::table::IndexedTable;

use condition::Condition;

/// Conditions and order of rows, as an address has them.
pub(crate) struct Selection {
    conditions: Vec<Condition>,
    /// Column by which the rows are sorted, and true if the largest value comes first.
    sort: Option<(String, bool)>,
}

impl Selection {
    /// Reads conditions such as `psnr:..20,cluster:3`, and an order such as `psnr` or `-psnr`.
    ///
    /// # Errors
    /// Returns an error if a condition is malformed.
    pub(crate) fn parse(conditions: &str, sort: &str) -> Result<Self> {
        let parts = conditions.split(',').map(str::trim).filter(|part| !part.is_empty());
        let conditions = parts.map(Condition::parse).collect::<Result<_>>()?;
        let sort = match sort.strip_prefix('-') {
            Some(column) => Some((column.to_owned(), true)),
            None => (!sort.is_empty()).then(|| (sort.to_owned(), false)),
        };
        Ok(Self { conditions, sort })
    }

    /// Returns true if all rows are selected, in the order of the table.
    pub(crate) fn is_all(&self) -> bool {
        self.conditions.is_empty() && self.sort.is_none()
    }

    /// Returns the positions of the selected rows. Only columns among `known` can be used. Rows without a value are last.
    ///
    /// # Errors
    /// Returns an error if a column is unknown or cannot be read, or a condition does not suit its column.
    pub(crate) fn rows(&self, table: &IndexedTable, known: &[&str]) -> Result<Vec<u64>> {
        let column = |name: &str| column(table, name, known);
        let mut chosen = vec![true; table.rows() as usize];
        for condition in &self.conditions {
            let fits = condition.test(&column(&condition.column)?)?;
            chosen.iter_mut().zip(fits).for_each(|(chosen, fits)| *chosen &= fits);
        }
        let is_chosen = |row: &u64| chosen[*row as usize];
        let Some((name, descending)) = &self.sort else {
            return Ok((0..table.rows()).filter(is_chosen).collect());
        };
        let options = SortOptions { descending: *descending, nulls_first: false };
        let order = sort_to_indices(&column(name)?, Some(options), None).map_err(|error| {
            let message = format!("rows cannot be sorted by column `{name}`: {error}");
            Error::user_error(Code::Unsupported, message, "sort by a column of numbers or texts")
        })?;
        Ok(order.values().iter().map(|row| u64::from(*row)).filter(is_chosen).collect())
    }
}

fn column(table: &IndexedTable, name: &str, known: &[&str]) -> Result<ArrayRef> {
    if !known.contains(&name) {
        let message = format!("the table has no column `{name}` of numbers or texts");
        return Err(Error::user_error(Code::UnknownName, message, suggest(name, known.iter().copied())));
    }
    Ok(table.read(&[name], 0, table.rows())?.column(0).clone())
}
