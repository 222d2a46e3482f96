//! Protocol between a report and the commands of a project that add sections to it.
//!
//! The engine starts `PROGRAM NAME --json -` for every command that callsheet.toml declares with `report = true`, with a
//! [`Run`] as JSON on its stdin. The command prints its [`Sections`] as JSON. `callsheet report RUN --json` prints the same
//! [`Run`] for people.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of these formats.
pub const VERSION: u32 = 1;

/// Description of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    /// Version of the format.
    pub version: u32,
    /// Its id; empty of a run that only found results.
    pub id: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the dataset; empty if there is none.
    pub dataset: String,
    /// Name of the profile; empty if there is none.
    pub profile: String,
    /// Table `[metadata]` of the pipeline's file.
    pub metadata: Map<String, Value>,
    /// Its stages, each after those that it reads from.
    pub stages: Vec<Stage>,
}

/// A stage of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Stage {
    /// Its instance: `train`, or `train@v4-0`.
    pub name: String,
    /// Its values, if it is fanned out.
    pub values: BTreeMap<String, Value>,
    /// `cached`, `ran`, `running`, `failed`, `stopped`, `blocked` or `not done`.
    pub state: String,
    /// Names of the stages that it reads from.
    pub reads: Vec<String>,
    /// Origin of its result; absent if the store has no record.
    pub made: Option<Made>,
}

/// Origin of a result.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Made {
    /// Id of the run.
    pub run: String,
    /// Name of the stage in that run.
    pub stage: String,
    /// Absolute path of the events of that run: JSON objects, one a line.
    pub events: PathBuf,
    /// Smallest step of any metric that this run, or one that it went on from, reported of the stage.
    pub first_step: Option<u64>,
    /// Host, CPUs and execution parameters.
    pub conditions: BTreeMap<String, String>,
}

/// Answer of a command.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Sections {
    /// Version of the format.
    pub version: u32,
    /// In the order in which they are shown.
    pub sections: Vec<Section>,
}

/// Part of a report under a heading of its own.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// Remarks on how to read the tables.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The tables.
    #[serde(default)]
    pub tables: Vec<Table>,
}

/// Table of a section.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Table {
    /// From left to right.
    pub columns: Vec<Column>,
    /// As many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// Column of a table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// True if it holds text, whose lines may be broken.
    #[serde(default)]
    pub text: bool,
}

/// Cell of a table.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Cell {
    /// Text of the cell; a dash is shown if it is empty.
    pub value: String,
    /// Text in smaller print after the value, such as an interval.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}
