//! `[rows]` of a stage.toml: each row of the output depends on one row of an input.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scalar::Scalar;

/// A row-wise stage. The worker is given the rows that are not in the store yet, and returns one
/// row for each, in any order; the engine keeps them, and puts the output together.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsDecl {
    /// Column of text that names each row, in the input and in the output.
    pub key: String,
    /// The input whose rows are meant.
    pub input: String,
    /// The output, the stage's only one.
    pub output: String,
    /// Columns of the input that the worker gets in addition to the key: a row depends on them. All, if
    /// none are named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
    /// Columns whose content another column tells, which is hashed in their place:
    /// `image = "content_digest"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
    /// Inputs of files of which a row depends on one alone, and the column with its name:
    /// `videos = "video"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Inputs of which a row depends on no more than its own columns tell: they hold the digests of
    /// what it reads there. The worker is given these inputs whole.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<String>,
    /// Only rows that have these values.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Scalar>")]
    pub filter: BTreeMap<String, Value>,
}

impl RowsDecl {
    /// Digest of everything that interchangeable rows share: all of the declaration but the choice of rows.
    pub fn pooled(&self) -> Self {
        Self { filter: BTreeMap::new(), ..self.clone() }
    }

    /// Returns true if interchangeable rows may differ in this input.
    pub fn tells(&self, input: &str) -> bool {
        input == self.input || self.files.contains_key(input) || self.told.contains(input)
    }

    /// Of the columns of the input, those that the worker is given.
    pub fn given<'a>(&'a self, all: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let named = self.columns.iter().chain(self.digests.values()).chain(self.files.values());
        let named = named.chain([&self.key]);
        if self.columns.is_empty() { all.collect() } else { named.map(String::as_str).collect() }
    }
}
