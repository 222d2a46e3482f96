//! Rows of a table that satisfy conditions, in a chosen order.

mod condition;
mod polygon;
mod split;

use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use crate::verdicts::VERDICT;
use crate::view::View;
use condition::Condition;
use split::{split, unquoted};

pub(crate) use split::quoted;

/// Largest number of conditions.
const MOST: usize = 50;

/// Conditions and order of rows, as an address has them.
pub(crate) struct Selection {
    pub conditions: Vec<Condition>,
    /// Column by which the rows are sorted, and true if the largest value comes first.
    sort: Option<(String, bool)>,
    /// Conditions and order as text.
    text: String,
    /// Version of the verdicts with which a page selected the rows first; empty at first.
    then: String,
}

/// Reads names with commas between them, each of which may be in quotes.
pub(crate) fn words(text: &str) -> Vec<String> {
    let parts = split(text, ',', usize::MAX).into_iter().map(|part| unquoted(part).text);
    parts.filter(|part| !part.is_empty()).collect()
}

/// Rows of a selection, in its order.
pub(crate) enum Selected {
    /// All rows of a table, in its order.
    All(u32),
    Some(Arc<Vec<u32>>),
}

impl Selection {
    /// Reads conditions such as `psnr:..20,cluster:3`, and an order such as `psnr` or `-psnr`.
    ///
    /// # Errors
    /// Returns an error if a condition is malformed.
    pub(crate) fn parse(conditions: &str, sort: &str, then: &str) -> Result<Self> {
        let text = format!("{conditions}\n{sort}");
        let parts = split(conditions, ',', usize::MAX).into_iter().map(str::trim);
        let conditions = parts.filter(|part| !part.is_empty()).map(Condition::parse);
        let conditions = conditions.collect::<Result<Vec<Condition>>>()?;
        if conditions.len() > MOST {
            let message = format!("{} conditions are too many", conditions.len());
            let help = format!("write at most {MOST} conditions");
            return Err(Error::user_error(Code::InvalidValue, message, help));
        }
        let sort = match sort.strip_prefix('-') {
            Some(column) => Some((column.to_owned(), true)),
            None => (!sort.is_empty()).then(|| (sort.to_owned(), false)),
        };
        Ok(Self { conditions, sort, text, then: then.to_owned() })
    }

    /// Returns true if a condition or the order uses a column.
    pub(crate) fn uses(&self, column: &str) -> bool {
        let sorts = self.sort.as_ref().is_some_and(|(name, _)| name == column);
        sorts || self.conditions.iter().any(|condition| condition.is_on(column))
    }

    /// Version of the present verdicts, if the selection depends on them.
    pub(crate) fn now(&self, table: &View) -> String {
        if self.uses(VERDICT) { table.verdicts_version() } else { String::new() }
    }

    /// Returns the selected rows as they were when the page selected them first, and the version of the verdicts at that
    /// time. If they are not kept, these are the present ones.
    ///
    /// # Errors
    /// See [`Self::rows`].
    pub(crate) fn rows_before(&self, table: &View) -> Result<(Selected, String)> {
        let before = if self.then.is_empty() { None } else { table.selected_before(&self.text, &self.then) };
        match before {
            Some(rows) => Ok((Selected::Some(rows), self.then.clone())),
            None => Ok((self.rows(table)?, self.now(table))),
        }
    }

    /// Returns the selected rows. Rows without a value in the column of the order are last.
    ///
    /// # Errors
    /// Returns an error if a column is unknown or cannot be read, or a condition does not suit its column.
    pub(crate) fn rows(&self, table: &View) -> Result<Selected> {
        if self.conditions.is_empty() && self.sort.is_none() {
            return Ok(Selected::All(table.rows()));
        }
        table.selected(&self.text, &self.now(table), || self.select(table)).map(Selected::Some)
    }

    /// Returns true for each row that satisfies each of the conditions that are tested.
    ///
    /// # Errors
    /// See [`Self::rows`].
    pub(crate) fn fits(&self, table: &View, tested: impl Fn(&Condition) -> bool) -> Result<Vec<bool>> {
        let mut chosen = vec![true; table.rows() as usize];
        for condition in self.conditions.iter().filter(|condition| tested(condition)) {
            let fits = condition.test(table)?;
            chosen.iter_mut().zip(fits).for_each(|(chosen, fits)| *chosen &= fits);
        }
        Ok(chosen)
    }

    fn select(&self, table: &View) -> Result<Vec<u32>> {
        let chosen = self.fits(table, |_| true)?;
        let is_chosen = |row: &u32| chosen[*row as usize];
        Ok(match &self.sort {
            Some((name, descending)) => {
                table.values(name)?.order(*descending).into_iter().filter(is_chosen).collect()
            }
            None => (0..table.rows()).filter(is_chosen).collect(),
        })
    }
}

impl Selected {
    /// Number of rows.
    pub(crate) fn len(&self) -> u32 {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len() as u32,
        }
    }

    /// Rows from position `at` on, at most `count` of them.
    pub(crate) fn window(&self, at: u32, count: u32) -> Vec<u32> {
        let (from, to) = (at.min(self.len()), at.saturating_add(count).min(self.len()));
        match self {
            Self::All(_) => (from..to).collect(),
            Self::Some(rows) => rows[from as usize..to as usize].to_vec(),
        }
    }
}
