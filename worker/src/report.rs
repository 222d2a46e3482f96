//! Protocol between a report and the commands of a project that add sections to it.
//!
//! The engine starts `PROGRAM NAME --json -` for every command that callsheet.toml declares with `report =
//! true`, and writes a [`Run`] as JSON to its stdin. The command prints its [`Sections`] as JSON. `callsheet
//! report RUN --json` prints the [`Run`], for example to test a command.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of [`Run`] and [`Sections`].
pub const VERSION: u32 = 1;

/// Description of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    /// Version of the format.
    pub version: u32,
    /// Id of the run; empty if the run found all results in the cache.
    pub id: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the dataset; empty if there is none.
    pub dataset: String,
    /// Name of the profile; empty if there is none.
    pub profile: String,
    /// Table `[metadata]` of the pipeline file.
    pub metadata: Map<String, Value>,
    /// Stage instances, each after those from which it reads.
    pub stages: Vec<Stage>,
}

/// A stage instance in a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Stage {
    /// Name of the instance: `train`, or `train@v4-0`.
    pub name: String,
    /// Values from `foreach`, by name; empty without `foreach`.
    pub values: BTreeMap<String, Value>,
    /// State: `cached`, `ran`, `running`, `failed`, `stopped`, `blocked` or `not done`.
    pub state: String,
    /// Names of the stage instances from which it reads.
    pub reads: Vec<String>,
    /// Origin of its result; absent if the store has no record of it.
    pub made: Option<Made>,
}

/// Origin of a result.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Made {
    /// Id of the run that computed the result.
    pub run: String,
    /// Name of the stage instance in that run.
    pub stage: String,
    /// Absolute path of the events of that run: one JSON object per line.
    pub events: PathBuf,
    /// Smallest step of any metric that this stage instance reported, in that run or in a run from which it
    /// resumed.
    pub first_step: Option<u64>,
    /// Host, CPUs and execution parameters, by name.
    pub conditions: BTreeMap<String, String>,
}

/// Output of a command that adds sections.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Sections {
    /// Version of the format.
    pub version: u32,
    /// Sections in the order in which they are shown.
    pub sections: Vec<Section>,
}

/// Part of a report under a heading of its own.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Section {
    /// Heading of the section.
    pub title: String,
    /// Notes on how to read the tables.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Tables of the section.
    #[serde(default)]
    pub tables: Vec<Table>,
}

/// Table of a section.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Table {
    /// Columns from left to right.
    pub columns: Vec<Column>,
    /// Rows, each with one cell per column.
    pub rows: Vec<Vec<Cell>>,
}

/// Column of a table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Column {
    /// Heading of the column.
    pub name: String,
    /// True if the column contains text, whose lines may be wrapped.
    #[serde(default)]
    pub text: bool,
}

/// Cell of a table.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Cell {
    /// Text of the cell. A dash is shown if it is empty.
    pub value: String,
    /// Text in smaller print after the value, such as an interval.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}
