//! `[outputs.NAME.checks]` of a stage.toml: what must hold of a table before it is published.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::Scalar;
use super::stage::{OutputDecl, StageFile};
use super::{ArtifactKind, is_name};
use crate::error::{Fault, Result, SourceText, suggest};
use crate::key::Digest;

/// Stands for every column that a check can be of.
pub const ALL: &str = "*";

/// What must hold of a table; `*` is every column.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChecksDecl {
    /// Columns without nulls.
    pub non_null: BTreeSet<String>,
    /// Columns no two rows of which are equal; `a + b` is the pair of both.
    pub unique: BTreeSet<String>,
    /// Columns of floats, or of vectors of them, without NaN and infinities.
    pub finite: BTreeSet<String>,
    /// Bounds of numbers, both included.
    pub range: BTreeMap<String, Bounds>,
    /// The values that there are.
    #[schemars(with = "BTreeMap<String, Vec<Scalar>>")]
    pub allowed: BTreeMap<String, Vec<Value>>,
    /// How many rows there are.
    pub rows: RowsCheck,
}

/// Bounds of numbers, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
}

/// How many rows a table has.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RowsCheck {
    /// At least so many.
    pub min: Option<u64>,
    /// At most so many.
    pub max: Option<u64>,
    /// As many as this input, a table, has.
    pub equal: Option<String>,
    /// At most as many as this input, a table, has.
    pub at_most: Option<String>,
}

impl ChecksDecl {
    /// Whether a check of these columns is of `column`.
    pub fn names(columns: &BTreeSet<String>, column: &str) -> bool {
        columns.contains(column) || columns.contains(ALL)
    }

    /// Columns that are unique together.
    pub fn keys(&self) -> impl Iterator<Item = Vec<&str>> {
        self.unique.iter().map(|key| key.split('+').map(str::trim).collect())
    }

    /// What tells these checks from others.
    pub fn digest(&self) -> Digest {
        blake3::hash(&serde_json::to_vec(self).expect("checks are plain data")).into()
    }

    /// Every column that is named, with the check that names it.
    fn columns(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let sets = [("non_null", &self.non_null), ("finite", &self.finite)];
        let sets = sets.into_iter().flat_map(|(check, names)| names.iter().map(move |n| (check, n.as_str())));
        let range = self.range.keys().map(|name| ("range", name.as_str()));
        let allowed = self.allowed.keys().map(|name| ("allowed", name.as_str()));
        let unique = self.keys().flatten().map(|name| ("unique", name));
        sets.filter(|(_, name)| *name != ALL).chain(range).chain(allowed).chain(unique)
    }
}

/// `non-null: *; range: psnr from 0 to 100`, for people; nothing if nothing is checked.
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

/// Checks the checks of every output against the rest of the declaration.
pub(super) fn check(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    for (name, output) in &file.outputs {
        check_output(file, name.get_ref(), name.span(), output, source)?;
    }
    Ok(())
}

fn check_output(
    file: &StageFile,
    name: &str,
    span: Range<usize>,
    output: &OutputDecl,
    source: &Arc<SourceText>,
) -> Result<()> {
    let checks = &output.checks;
    let refuse = |message: String, help: String| {
        Err(Fault::new(source, span.clone(), message, "of this output").with_help(help).into())
    };
    if *checks != ChecksDecl::default() && output.kind != ArtifactKind::Table {
        let help = "only the rows and columns of a table can be checked".to_owned();
        return refuse(format!("output `{name}` has checks and is no table"), help);
    }
    let known = || output.columns.keys().map(String::as_str);
    let stranger = |column: &str| match output.columns.is_empty() {
        true => !is_name(column),
        false => !output.columns.contains_key(column),
    };
    if let Some((check, column)) = checks.columns().find(|(_, column)| stranger(column)) {
        let message = format!("checks.{check} of output `{name}` names the column {column:?}");
        return refuse(format!("{message}, which it does not have"), suggest(column, known()));
    }
    let unfit = |columns: Vec<&String>, fits: fn(&str) -> bool| {
        let of_type = |name: &String| Some((name.clone(), output.columns.get(name)?.clone()));
        columns.into_iter().filter_map(of_type).find(|(_, kind)| !fits(kind))
    };
    let floats = |kind: &str| kind.contains("float");
    let numbers = |kind: &str| ["int32", "int64", "float32", "float64"].contains(&kind);
    if let Some((column, kind)) = unfit(checks.finite.iter().collect(), floats) {
        let help = "name columns of floats, or of vectors or lists of them; `*` is all that are".to_owned();
        return refuse(format!("checks.finite of output `{name}` names `{column}`, which is {kind}"), help);
    }
    if let Some((column, kind)) = unfit(checks.range.keys().collect(), numbers) {
        let help = "only a column of single numbers has a range".to_owned();
        return refuse(format!("checks.range of output `{name}` names `{column}`, which is {kind}"), help);
    }
    if let Some((column, _)) = checks.allowed.iter().find(|(_, values)| values.is_empty()) {
        let help = "list the values that there may be".to_owned();
        return refuse(format!("checks.allowed.{column} of output `{name}` allows nothing"), help);
    }
    if checks.rows.min.zip(checks.rows.max).is_some_and(|(min, max)| min > max) {
        return refuse(
            format!("checks.rows of output `{name}` lets nothing through"),
            "min is the smaller".to_owned(),
        );
    }
    let empty = checks.range.iter().find(|(_, bounds)| {
        let ends = [bounds.min, bounds.max];
        let crossed = bounds.min.zip(bounds.max).is_some_and(|(min, max)| min > max);
        crossed || ends == [None, None] || ends.iter().flatten().any(|end| !end.is_finite())
    });
    if let Some((column, _)) = empty {
        let help = "give `min`, `max` or both, the smaller first".to_owned();
        return refuse(format!("checks.range.{column} of output `{name}` lets nothing or all through"), help);
    }
    let inputs = [&checks.rows.equal, &checks.rows.at_most];
    for input in inputs.into_iter().flatten() {
        let tables = || file.inputs.iter().filter(|(_, i)| i.kind == ArtifactKind::Table && !i.many);
        if !tables().any(|(known, _)| known.get_ref() == input) {
            let message =
                format!("checks.rows of output `{name}` names {input:?}, which is no input of one table");
            return refuse(message, suggest(input, tables().map(|(known, _)| known.get_ref().as_str())));
        }
    }
    Ok(())
}
