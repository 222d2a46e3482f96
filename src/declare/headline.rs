//! `[outputs.NAME.headline]` of a stage.toml: the comparison with which a report begins.

use schemars::JsonSchema;
use serde::Deserialize;

/// Comparison of the rows of a table: the best own method against the best baseline, measure by measure.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadlineDecl {
    /// Columns whose texts name a row; empty texts are left out.
    pub label: Vec<String>,
    /// Name of the compared own method in the sentence; `{label}` stands for its label. Default: `{label}`.
    #[serde(default = "label")]
    pub subject: String,
    /// Column whose texts distinguish own methods from baselines.
    pub group: String,
    /// Texts of `group` for own methods, the most important first: the comparison is about rows with the first text that
    /// the table contains.
    pub own: Vec<String>,
    /// Texts of `group` for baselines.
    pub baselines: Vec<String>,
    /// Measures, the most important first.
    pub measures: Vec<MeasureDecl>,
    /// Text below the comparison: what the rows and values are. Default: none.
    #[serde(default)]
    pub note: String,
}

fn label() -> String {
    LABEL.to_owned()
}

/// Placeholder for the label of a row.
pub const LABEL: &str = "{label}";

/// Measure of a comparison.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureDecl {
    /// Column of numbers. Columns `NAME_low` and `NAME_high` are the ends of its interval.
    pub column: String,
    /// Name for readers. Default: the name of the column.
    #[serde(default)]
    pub name: String,
    /// Column with the name for readers, instead of `name`.
    #[serde(default)]
    pub name_column: String,
    /// Unit, e.g. `dB`. Default: none.
    #[serde(default)]
    pub unit: String,
    /// Direction in which values are better.
    pub better: Direction,
}

/// Direction in which values are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Higher values are better.
    Higher,
    /// Lower values are better.
    Lower,
}

impl HeadlineDecl {
    /// Columns that the comparison reads, without the ends of intervals.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let measures = self.measures.iter().flat_map(|measure| [&measure.column, &measure.name_column]);
        let all = self.label.iter().chain([&self.group]).chain(measures);
        all.map(String::as_str).filter(|name| !name.is_empty())
    }
}
