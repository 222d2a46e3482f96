//! Inference of column types from all values of a column.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use callsheet_worker::table::parse_type;

use super::raw_file::{RawFile, malformed};
use callsheet_worker::error::Result;

/// Type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    /// An integer that a float64 may round.
    LargeInt,
    Float,
    /// Digits that a number would not keep, such as postal codes with leading zeros.
    Digits,
    Text,
    /// A list; `None` if it is empty.
    List(Option<Box<Kind>>),
}

/// Values of one family in a column: truth values, numbers, texts or lists.
#[derive(Clone, Debug)]
struct Values {
    /// Type that has all of them.
    kind: Kind,
    count: u64,
    /// Place and text of the first one.
    first: Place,
}

/// A value in a file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The file, and its position among the files of the table.
    pub file: (usize, RawFile),
    pub line: u64,
    pub text: String,
}

/// Values of the columns so far.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    found: BTreeMap<String, Vec<Values>>,
}

/// Largest integer up to which a float64 has every integer.
const EXACT: u64 = 1 << 53;

impl Kind {
    /// Returns the type of an integer.
    pub(super) fn of_integer(number: i64) -> Self {
        if number.unsigned_abs() > EXACT { Self::LargeInt } else { Self::Int }
    }

    /// Returns the type of a list with items of these types; `None` if no list has all of them.
    pub(super) fn of_items(items: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut lists = items.into_iter().map(|item| Self::List(Some(Box::new(item))));
        lists.try_fold(Self::List(None), Self::with)
    }

    /// Returns the type that has the values of both; `None` if they are of different families.
    fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, other) if one == other => Some(one),
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Some(Self::Float),
            (Self::Int, Self::LargeInt) | (Self::LargeInt, Self::Int) => Some(Self::LargeInt),
            // Postal codes with and without leading zeros are in one column.
            (Self::Digits, Self::Int | Self::LargeInt) | (Self::Int | Self::LargeInt, Self::Digits) => {
                Some(Self::Digits)
            }
            (Self::Digits, Self::Text) | (Self::Text, Self::Digits) => Some(Self::Text),
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
            Self::Int | Self::LargeInt => "int64".to_owned(),
            Self::Float => "float64".to_owned(),
            Self::Digits | Self::Text => "string".to_owned(),
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
            Self::LargeInt => "integers above 2^53",
            Self::Digits => "digits with leading zeros",
            Self::Text => "texts",
            Self::List(_) => "lists",
        }
    }
}

impl Kinds {
    /// Adds a value of a column. `place` is called for the first value of each family.
    pub(super) fn add(&mut self, column: &str, kind: Kind, place: impl FnOnce() -> Place) {
        let Some(families) = self.found.get_mut(column) else {
            self.found.insert(column.to_owned(), vec![Values::new(kind, place())]);
            return;
        };
        for values in families.iter_mut() {
            if let Some(both) = values.kind.clone().with(kind.clone()) {
                values.kind = both;
                values.count += 1;
                return;
            }
        }
        families.push(Values::new(kind, place()));
    }

    /// Returns the columns `names` with their types, as [`Self::name`] does.
    ///
    /// # Errors
    /// Returns an error if [`Self::name`] does.
    pub(super) fn schema(
        &self,
        names: &[String],
        declared: &BTreeMap<String, String>,
        absorbing: bool,
    ) -> Result<SchemaRef> {
        let field = |name: &String| {
            let kind = self.name(name, declared, absorbing)?;
            let kind = parse_type(&kind).expect("inferred and checked types are known");
            Ok(Field::new(name, kind, true))
        };
        Ok(Arc::new(Schema::new(names.iter().map(field).collect::<Result<Vec<_>>>()?)))
    }

    /// Returns the type of a column: the declared one, else the inferred one, else text. If `absorbing`, a column with more
    /// than half texts gets the type string.
    ///
    /// # Errors
    /// Returns an error if the values are of several families, and are not mostly texts.
    fn name(&self, column: &str, declared: &BTreeMap<String, String>, absorbing: bool) -> Result<String> {
        if let Some(declared) = declared.get(column) {
            return Ok(declared.clone());
        }
        let families = self.found.get(column).map_or(&[][..], Vec::as_slice);
        let [first, _, ..] = families else {
            return Ok(families.first().map_or("string".to_owned(), |values| values.kind.name()));
        };
        let total: u64 = families.iter().map(|values| values.count).sum();
        let texts = families.iter().filter(|values| matches!(values.kind, Kind::Digits | Kind::Text));
        let texts: u64 = texts.map(|values| values.count).sum();
        if absorbing && 2 * texts > total {
            return Ok(Kind::Text.name());
        }
        // The first one of equal counts.
        let most = families.iter().rev().max_by_key(|values| values.count).unwrap_or(first);
        let others = families.iter().filter(|values| values.kind != most.kind);
        let other = others.min_by_key(|values| (values.first.file.0, values.first.line)).unwrap_or(first);
        let Place { file: (_, file), line, text } = &other.first;
        let problem = format!(
            "column `{column}` contains {} ({} of {total} values), but line {line} contains `{text}`",
            most.kind.noun(),
            most.count,
        );
        let help = format!(
            "correct the value, or declare the type under [sources.NAME] in the pipeline: columns.{} = \"string\"",
            toml_key(column)
        );
        Err(malformed(file, &problem, help))
    }
}

impl Values {
    fn new(kind: Kind, first: Place) -> Self {
        let text = first.text.chars().take(60).collect();
        Self { kind, count: 1, first: Place { text, ..first } }
    }
}

/// Returns a name as a key of TOML.
pub(super) fn toml_key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { toml::Value::from(name).to_string() }
}
