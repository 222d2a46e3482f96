//! Inference of column types from all values of a column.

use std::collections::BTreeMap;

use super::raw_file::{RawFile, malformed};
use callsheet_worker::error::Result;

/// Type of a value or of all values so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Float,
    Text,
    /// A list; `None` if all lists are empty.
    List(Option<Box<Kind>>),
}

impl Kind {
    /// Returns the type that has the values of both; `None` if there is none.
    fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, other) if one == other => Some(one),
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Some(Self::Float),
            // A column that begins with text is a column of text.
            (Self::Text, Self::Bool | Self::Int | Self::Float) => Some(Self::Text),
            (Self::List(None), Self::List(items)) | (Self::List(items), Self::List(None)) => {
                Some(Self::List(items))
            }
            (Self::List(Some(one)), Self::List(Some(other))) => {
                one.with(*other).map(|both| Self::List(Some(Box::new(both))))
            }
            _ => None,
        }
    }

    /// Returns the name of the type in stage.toml.
    fn name(&self) -> String {
        match self {
            Self::Bool => "bool".to_owned(),
            Self::Int => "int64".to_owned(),
            Self::Float => "float64".to_owned(),
            Self::Text => "string".to_owned(),
            Self::List(items) => {
                format!("list<{}>", items.as_deref().map_or("string".to_owned(), Self::name))
            }
        }
    }

    /// Returns the noun for errors.
    fn noun(&self) -> &'static str {
        match self {
            Self::Bool => "true and false",
            Self::Int | Self::Float => "numbers",
            Self::Text => "texts",
            Self::List(_) => "lists",
        }
    }
}

/// Types of the columns so far.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    found: BTreeMap<String, (Kind, u64)>,
}

impl Kinds {
    /// Adds a value of a column, in a line of a file.
    ///
    /// # Errors
    /// Returns an error if no type has this value and the values before.
    pub(super) fn add(
        &mut self,
        file: &RawFile,
        column: &str,
        kind: Kind,
        line: u64,
        value: &str,
    ) -> Result<()> {
        let Some((known, _)) = self.found.get_mut(column) else {
            self.found.insert(column.to_owned(), (kind, line));
            return Ok(());
        };
        match known.clone().with(kind) {
            Some(both) => *known = both,
            None => {
                let (known, first) = &self.found[column];
                let problem = format!(
                    "column `{column}` contains {} (first in line {first}), but `{}` in line {line}",
                    known.noun(),
                    value.chars().take(60).collect::<String>(),
                );
                let help = format!(
                    "correct the value, or declare the type under [sources.NAME] in the pipeline: columns.{} = \"string\"",
                    toml_key(column)
                );
                return Err(malformed(file, &problem, help));
            }
        }
        Ok(())
    }

    /// Returns the type of a column: the declared one, else the inferred one, else text.
    pub(super) fn name(&self, column: &str, declared: &BTreeMap<String, String>) -> String {
        let inferred = || self.found.get(column).map_or("string".to_owned(), |(kind, _)| kind.name());
        declared.get(column).cloned().unwrap_or_else(inferred)
    }
}

/// Returns a name as a key of TOML.
fn toml_key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { toml::Value::from(name).to_string() }
}
