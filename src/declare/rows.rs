//! `[rows]` of a stage.toml: each row of the output depends on one row of an input.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scalar::Scalar;

/// Row-wise computation. The worker gets the rows of an input whose results the store lacks, and returns one
/// row for each, in any order. The engine caches the returned rows and assembles the output.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsDecl {
    /// Column of texts or integers that identifies each row, in the input and in the output.
    pub key: String,
    /// Name of the input, a table: each of its selected rows leads to one row of the output.
    pub input: String,
    /// Name of the output, a table; the stage must not have another output.
    pub output: String,
    /// Columns of the input on which a row depends; the worker gets them in addition to the key. Default: all
    /// columns.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
    /// Columns whose content is identified by a digest in another column, which is hashed instead of the
    /// content: `image = "content_digest"`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
    /// Inputs of kind `files` of which a row depends on a single file, each with the column that contains the
    /// name of the file: `videos = "video"`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Inputs whose content is covered by the row's own columns, which contain digests of everything that the
    /// row reads from the input. If the input changes, only rows whose digests changed are stale. The worker
    /// gets the full input. Default: none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub covered_by_digest: BTreeSet<String>,
    /// Values of columns that select rows of the input; other rows are left out. Default: all rows.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Scalar>")]
    pub filter: BTreeMap<String, Value>,
}

impl RowsDecl {
    /// Returns the part of the declaration that interchangeable rows share: all but the selection of rows.
    pub fn pooled(&self) -> Self {
        Self { filter: BTreeMap::new(), ..self.clone() }
    }

    /// Returns true if interchangeable rows may differ in this input.
    pub fn tells(&self, input: &str) -> bool {
        input == self.input || self.files.contains_key(input) || self.covered_by_digest.contains(input)
    }

    /// Returns the columns of the input that the worker gets; `all` are the input's columns.
    pub fn given<'a>(&'a self, all: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let named = self.columns.iter().chain(self.digests.values()).chain(self.files.values());
        let named = named.chain([&self.key]);
        if self.columns.is_empty() { all.collect() } else { named.map(String::as_str).collect() }
    }
}
