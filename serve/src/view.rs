//! A table, and columns of other tables that are found by key.

use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::table::Cells;

use crate::tables::{Cell, Column, NO_ROW, Shown, Table, Values, common_key, matching_rows, taken};
use crate::verdicts::{VERDICT, Verdicts};

/// A table, and columns of other tables.
pub(crate) struct View {
    table: Arc<Table>,
    others: Vec<Joined>,
    verdicts: Option<Marked>,
    /// Columns of the table, then of the others, and then the verdicts.
    pub columns: Vec<Column>,
}

/// Verdicts on the rows.
struct Marked {
    verdicts: Arc<Verdicts>,
    /// Column whose values identify the rows.
    key: String,
}

/// Another table.
struct Joined {
    /// Name of the artifact.
    name: String,
    table: Arc<Table>,
    /// For each row of the first table, the row of this one.
    rows: Arc<Vec<u32>>,
}

/// Images of a column.
pub(crate) struct Images {
    cells: Arc<Cells>,
    /// For each row of the view, the row of the table with the images; all rows in order if it is missing.
    rows: Option<Arc<Vec<u32>>>,
}

impl View {
    /// Adds columns of other tables, which are named as in `clusters.table`, to a table.
    ///
    /// # Errors
    /// Returns an error if another table has no column in common, or several rows for one key.
    pub(crate) fn new(table: Arc<Table>, others: Vec<(String, Arc<Table>)>) -> Result<Self> {
        let mut columns = table.columns.clone();
        let join = |(name, other): (String, Arc<Table>)| {
            let Some(key) = common_key(&table.columns, &other.columns) else {
                let message = format!("`{name}` has no column of texts or integers in common with the table");
                let help = "add columns of a table with the same keys";
                return Err(Error::user_error(Code::Unsupported, message, help));
            };
            let id = format!("{}/{key}", other.digest);
            let rows = table.joined.get_or(&id, || matching_rows(&table, &other, &key, &name))?;
            let added = other.columns.iter().filter(|column| column.name != key);
            columns.extend(added.map(|column| column.of(&name)));
            Ok(Joined { name, table: other, rows })
        };
        let others = others.into_iter().map(join).collect::<Result<_>>()?;
        Ok(Self { table, others, verdicts: None, columns })
    }

    /// Adds the verdicts on the rows as a column, if a column has their keys and no other one has its name.
    pub(crate) fn with_verdicts(mut self, verdicts: Arc<Verdicts>) -> Self {
        let is_key = |column: &&Column| {
            let own = match &column.from {
                Some(from) => column.name.strip_prefix(from.as_str()).and_then(|name| name.strip_prefix('.')),
                None => Some(column.name.as_str()),
            };
            own == Some(verdicts.key()) && verdicts.key_kind().is_none_or(|kind| kind == column.kind)
        };
        let key = self.columns.iter().find(is_key).map(|column| column.name.clone());
        let is_free = self.columns.iter().all(|column| column.name != VERDICT);
        if let Some(key) = key.filter(|_| is_free) {
            let (name, kind) = (VERDICT.to_owned(), "string".to_owned());
            self.columns.push(Column { name, kind, shown: Shown::Text, from: None });
            self.verdicts = Some(Marked { verdicts, key });
        }
        self
    }

    /// Column whose values identify the rows for verdicts, if there is one.
    pub(crate) fn key(&self) -> Option<&str> {
        self.verdicts.as_ref().map(|marked| marked.key.as_str())
    }

    /// The reason why the verdicts cannot be shown.
    pub(crate) fn verdicts_problem(&self) -> Option<String> {
        let problem = self.verdicts.as_ref()?.verdicts.problem.as_ref()?;
        Some(format!("verdicts cannot be shown: {problem}"))
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u32 {
        self.table.rows()
    }

    /// Version of the tables in addresses.
    pub(crate) fn version(&self) -> String {
        let others = self.others.iter().map(|joined| &joined.table);
        let digests = std::iter::once(&self.table).chain(others).map(|table| table.digest.short());
        digests.collect::<Vec<_>>().join("-")
    }

    /// Names of the columns of numbers and texts.
    pub(crate) fn readable(&self) -> impl Iterator<Item = &str> {
        let readable = |column: &&Column| matches!(column.shown, Shown::Number | Shown::Text);
        self.columns.iter().filter(readable).map(|column| column.name.as_str())
    }

    /// Returns all values of a column, which stay in memory.
    ///
    /// # Errors
    /// Returns an error if the view lacks this column of numbers or texts, or it is too large or damaged.
    pub(crate) fn values(&self, column: &str) -> Result<Arc<Values>> {
        if !self.readable().any(|name| name == column) {
            let message = format!("the table has no column `{column}` of numbers or texts");
            return Err(Error::user_error(Code::UnknownName, message, suggest(column, self.readable())));
        }
        if let Some(Marked { verdicts, key }) = self.marked(column) {
            // The keys may be those of another table.
            let name = format!("{} {key} {}", verdicts.digest, self.version());
            return self.table.verdicts.get_or(&name, || Ok(verdicts.values(&*self.values(key)?)));
        }
        match self.of_other(column) {
            None => self.table.values(column),
            Some((joined, own)) => {
                let id = format!("{}/{own}", joined.table.digest);
                self.table.values.get_or(&id, || Ok(taken(&*joined.table.values(own)?, &joined.rows)))
            }
        }
    }

    /// Returns the values of these rows as they are shown. A value that cannot be read is missing, and `problem` becomes the
    /// reason.
    pub(crate) fn cells(&self, column: &str, rows: &[u32], problem: &mut Option<Error>) -> Vec<Cell> {
        if let Some(Marked { verdicts, key }) = self.marked(column) {
            let keys = self.each(key, rows, problem, Values::text);
            return keys.into_iter().map(|key| verdicts.cell(key.flatten().as_deref())).collect();
        }
        let cells = self.each(column, rows, problem, Values::cell);
        cells.into_iter().map(|cell| cell.unwrap_or(Cell::Missing)).collect()
    }

    /// Returns the keys of these rows for verdicts; `None` where a row has none.
    pub(crate) fn keys(&self, rows: &[u32], problem: &mut Option<Error>) -> Vec<Option<String>> {
        let keys = self.key().map(|key| self.each(key, rows, problem, Values::text));
        let keys = keys.unwrap_or_else(|| rows.iter().map(|_| None).collect());
        // A key with other characters cannot be written.
        let is_key = |key: &String| !key.is_empty() && !key.contains(char::is_control);
        keys.into_iter().map(|key| key.flatten().filter(is_key)).collect()
    }

    fn each<T>(
        &self,
        column: &str,
        rows: &[u32],
        problem: &mut Option<Error>,
        of: impl Fn(&Values, usize) -> T,
    ) -> Vec<Option<T>> {
        let Some((joined, own)) = self.of_other(column) else {
            return self.table.each(column, rows, problem, of);
        };
        let of_other: Vec<u32> = rows.iter().map(|row| joined.rows[*row as usize]).collect();
        let present: Vec<u32> = of_other.iter().copied().filter(|row| *row != NO_ROW).collect();
        let mut found = joined.table.each(own, &present, problem, of).into_iter();
        of_other.into_iter().map(|row| if row == NO_ROW { None } else { found.next().flatten() }).collect()
    }

    /// Returns a column of images.
    ///
    /// # Errors
    /// Returns an error if the view lacks this column of images.
    pub(crate) fn images(&self, column: &str) -> Result<Images> {
        Ok(match self.of_other(column) {
            None => Images { cells: self.table.images(column)?, rows: None },
            Some((joined, own)) => {
                Images { cells: joined.table.images(own)?, rows: Some(joined.rows.clone()) }
            }
        })
    }

    /// Returns the rows of a selection with these verdicts if they are kept.
    pub(crate) fn selected_before(&self, selection: &str, verdicts: &str) -> Option<Arc<Vec<u32>>> {
        self.table.selected.get(&self.selection_name(selection, verdicts))
    }

    /// Returns the rows of a selection, which `select` determines if they are not kept.
    pub(crate) fn selected(
        &self,
        selection: &str,
        verdicts: &str,
        select: impl FnOnce() -> Result<Vec<u32>>,
    ) -> Result<Arc<Vec<u32>>> {
        self.table.selected.get_or(&self.selection_name(selection, verdicts), select)
    }

    fn selection_name(&self, selection: &str, verdicts: &str) -> String {
        format!("{} {verdicts}\n{selection}", self.version())
    }

    /// Version of the verdicts; empty if the view has none.
    pub(crate) fn verdicts_version(&self) -> String {
        self.verdicts.as_ref().map(|marked| marked.verdicts.digest.short()).unwrap_or_default()
    }

    /// Returns the verdicts if the column has them.
    fn marked(&self, column: &str) -> Option<&Marked> {
        self.verdicts.as_ref().filter(|_| column == VERDICT)
    }

    /// Returns the other table that has a column, and the name of the column there.
    fn of_other<'a>(&self, column: &'a str) -> Option<(&Joined, &'a str)> {
        self.others.iter().find_map(|joined| {
            let own = column.strip_prefix(&*joined.name)?.strip_prefix('.')?;
            Some((joined, own))
        })
    }
}

impl Images {
    /// Reads the image of a row; `None` if it is missing.
    ///
    /// # Errors
    /// Returns an error if the view lacks this row, or the part of the file with the image is damaged.
    pub(crate) fn get(&self, row: u32) -> Result<Option<Vec<u8>>> {
        match self.rows.as_ref().map(|rows| rows.get(row as usize)) {
            Some(Some(&NO_ROW)) => Ok(None),
            Some(Some(row)) => self.cells.get(u64::from(*row)),
            Some(None) => self.cells.get(u64::MAX),
            None => self.cells.get(u64::from(row)),
        }
    }
}
