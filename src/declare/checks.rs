//! `[outputs.NAME.checks]` of a stage.toml: conditions that a table must satisfy before it is published.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use callsheet_worker::digest::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scalar::Scalar;

/// Name that stands for every column to which a check applies.
pub(super) const ALL: &str = "*";

/// Conditions that a table must satisfy before it is published. In `non_null` and `finite`, `*` stands for
/// every column.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChecksDecl {
    /// Columns that must not contain nulls. Default: none.
    pub non_null: BTreeSet<String>,
    /// Columns in which no two rows may be equal; `a + b` stands for the pair of columns `a` and `b`.
    /// Default: none.
    pub unique: BTreeSet<String>,
    /// Columns of floats, or of vectors or lists of floats, that must not contain NaN and infinities.
    /// Default: none.
    pub finite: BTreeSet<String>,
    /// Bounds of numbers by column, both included. Default: none.
    pub range: BTreeMap<String, Bounds>,
    /// Allowed values by column. Default: any value.
    #[schemars(with = "BTreeMap<String, Vec<Scalar>>")]
    pub allowed: BTreeMap<String, Vec<Value>>,
    /// Limits on the number of rows. Default: none.
    pub rows: RowsCheck,
}

/// Bounds of numbers, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Smallest valid number. Default: no bound.
    pub min: Option<f64>,
    /// Largest valid number. Default: no bound.
    pub max: Option<f64>,
}

/// Limits on the number of rows of a table.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RowsCheck {
    /// Smallest number of rows. Default: no limit.
    pub min: Option<u64>,
    /// Largest number of rows. Default: no limit.
    pub max: Option<u64>,
    /// Name of an input, a table: the output must have as many rows as this input. Default: no limit.
    pub equal: Option<String>,
    /// Name of an input, a table: the output must not have more rows than this input. Default: no limit.
    pub at_most: Option<String>,
}

impl ChecksDecl {
    /// Returns true if a check of these columns covers `column`.
    pub fn names(columns: &BTreeSet<String>, column: &str) -> bool {
        columns.contains(column) || columns.contains(ALL)
    }

    /// Returns each set of columns that must be unique together.
    pub fn keys(&self) -> impl Iterator<Item = Vec<&str>> {
        self.unique.iter().map(|key| key.split('+').map(str::trim).collect())
    }

    /// Digest of these checks.
    pub fn digest(&self) -> Digest {
        blake3::hash(&serde_json::to_vec(self).expect("checks are plain data")).into()
    }

    /// Returns the name of a check and of a column for every column that a check names.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let sets = [("non_null", &self.non_null), ("finite", &self.finite)];
        let sets = sets.into_iter().flat_map(|(check, names)| names.iter().map(move |n| (check, n.as_str())));
        let range = self.range.keys().map(|name| ("range", name.as_str()));
        let allowed = self.allowed.keys().map(|name| ("allowed", name.as_str()));
        let unique = self.keys().flatten().map(|name| ("unique", name));
        sets.filter(|(_, name)| *name != ALL).chain(range).chain(allowed).chain(unique)
    }
}

/// Formats checks for people: `non-null: *; range: psnr from 0 to 100`; empty without checks.
impl fmt::Display for ChecksDecl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        let range = self.range.iter().map(|(name, bounds)| {
            let ends = [("from", bounds.min), ("to", bounds.max)].into_iter();
            let ends = ends.filter_map(|(word, end)| Some(format!(" {word} {}", end?)));
            format!("{name}{}", ends.collect::<String>())
        });
        let allowed = self.allowed.iter().map(|(name, values)| {
            let values = values.iter().map(ToString::to_string).collect::<Vec<_>>();
            format!("{name} is {}", values.join(" or "))
        });
        let count = |word: &str, count: Option<String>| count.map(|count| format!("{word} {count}"));
        let rows = [
            count("at least", self.rows.min.map(|rows| rows.to_string())),
            count("at most", self.rows.max.map(|rows| rows.to_string())),
            count("as many as", self.rows.equal.clone()),
            count("at most as many as", self.rows.at_most.clone()),
        ];
        let parts = [
            ("non-null", names(&self.non_null)),
            ("unique", names(&self.unique)),
            ("finite", names(&self.finite)),
            ("range", range.collect::<Vec<_>>().join(", ")),
            ("allowed", allowed.collect::<Vec<_>>().join(", ")),
            ("rows", rows.into_iter().flatten().collect::<Vec<_>>().join(", ")),
        ];
        let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
        let parts: Vec<String> = parts.map(|(name, text)| format!("{name}: {text}")).collect();
        f.write_str(&parts.join("; "))
    }
}
