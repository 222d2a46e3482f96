//! Marked tables of a page.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::user_error;
use serde::Deserialize;

/// Line that begins the description of a table.
const START: &str = "<!-- table\n";
/// Line that ends the description.
const DESCRIBED: &str = "-->\n";
/// Line after the table.
const END: &str = "<!-- end of table -->\n";

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
    pub filters: BTreeMap<String, Vec<String>>,
    /// Titles of columns; others have their names.
    #[serde(default)]
    pub titles: BTreeMap<String, String>,
    /// Number of digits after the decimal point, by column.
    #[serde(default)]
    pub digits: BTreeMap<String, usize>,
    /// Line of the page.
    #[serde(skip)]
    pub line: usize,
    /// Text of the description, with its markers.
    #[serde(skip)]
    pub text: String,
}

/// Part of a page.
pub(super) enum Part<'a> {
    Text(&'a str),
    Table(Box<Block>),
}

/// Divides a page into text and tables.
///
/// # Errors
/// Returns an error if a description is invalid, or a table has no end.
pub(super) fn parts<'a>(page: &'a str, path: &Path) -> Result<Vec<Part<'a>>> {
    let mut parts = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find(START) {
        parts.push(Part::Text(&rest[..start]));
        let line = page[..page.len() - rest.len() + start].lines().count() + 1;
        let table = &rest[start..];
        let refused = |problem: &str, help: &str| {
            user_error(format!("the table in line {line} of `{}` {problem}", path.display()), help)
        };
        let described = table.find(DESCRIBED);
        let described =
            described.ok_or_else(|| refused("has no line `-->`", "end the description with it"))?;
        // The end of another table would take the text between with it.
        let next = table[START.len()..].find(START).map_or(table.len(), |next| START.len() + next);
        let end = table[..next].find(END);
        let end = end.ok_or_else(|| refused("has no end", "add the line `<!-- end of table -->`"))?;
        let mut block: Block = toml::from_str(&table[START.len()..described])
            .map_err(|error| refused(&format!("is invalid: {error}"), "see `callsheet tables --help`"))?;
        (block.line, block.text) = (line, table[..described + DESCRIBED.len()].to_owned());
        parts.push(Part::Table(Box::new(block)));
        rest = &table[end + END.len()..];
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

impl Block {
    /// Text of the table on the page: its description, and its lines in Markdown.
    pub(super) fn with(&self, lines: &[String]) -> String {
        format!("{}\n{}\n\n{END}", self.text, lines.join("\n"))
    }
}
