//! Marked tables of a page.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use anyhow::Result;
use callsheet_worker::error::suggest;
use callsheet_worker::user_error;
use serde::Deserialize;

/// Largest number of digits after the decimal point: that of float64.
const MOST_DIGITS: usize = 17;

/// Description of a table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    /// Parquet file, relative to the folder of the page.
    pub file: String,
    /// Result that the file is a copy of, relative to `data/out`.
    pub from: Option<String>,
    /// Columns of the file in the order of the table.
    pub columns: Vec<String>,
    /// Values of the rows that are shown, by column.
    #[serde(default, rename = "where")]
    pub filters: BTreeMap<String, Vec<toml::Value>>,
    /// Titles of columns; others have their names.
    #[serde(default)]
    pub titles: BTreeMap<String, String>,
    /// Number of digits after the decimal point, by column.
    #[serde(default)]
    pub digits: BTreeMap<String, usize>,
    /// Line of the page at which the description begins, from 1.
    #[serde(skip)]
    pub line: usize,
}

impl Block {
    /// Parses the text between the markers of a description that begins at `line` of `page`.
    ///
    /// # Errors
    /// Returns an error if the description is not TOML or lacks a key. The same holds for a file outside of the
    /// page's folder, and for a title of a column that is not shown.
    pub(super) fn parse(text: &str, line: usize, page: &Path) -> Result<Self> {
        let refused = |problem: String, help: String| {
            user_error(format!("the table in line {line} of `{}`: {problem}", page.display()), help)
        };
        let block: Self = toml::from_str(text)
            .map_err(|error| refused(error.to_string(), "see `callsheet tables --help`".to_owned()))?;
        let inside =
            |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside(&block.file) || Path::new(&block.file).extension().is_none_or(|end| end != "parquet") {
            let help = "name a file that ends in .parquet, relative to the page and below its folder";
            return Err(refused(format!("`{}` is not such a file", block.file), help.to_owned()));
        }
        if let Some(from) = block.from.as_ref().filter(|from| !inside(from)) {
            let help = "name a result below data/out: PIPELINE/DATASET/PROFILE/STAGE/FILE";
            return Err(refused(format!("`{from}` is not a result"), help.to_owned()));
        }
        if block.columns.is_empty() {
            return Err(refused("it has no column".to_owned(), "name some: columns = [..]".to_owned()));
        }
        if let Some(name) =
            block.titles.keys().chain(block.digits.keys()).find(|name| !block.columns.contains(name))
        {
            let known = block.columns.iter().map(String::as_str);
            return Err(refused(format!("it shows no column `{name}`"), suggest(name, known)));
        }
        if let Some((name, digits)) = block.digits.iter().find(|(_, digits)| **digits > MOST_DIGITS) {
            let help = format!("use at most {MOST_DIGITS}");
            return Err(refused(format!("`{name}` has {digits} digits"), help));
        }
        Ok(Self { line, ..block })
    }
}
