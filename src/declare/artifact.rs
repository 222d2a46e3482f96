//! `[inputs.NAME]` and `[outputs.NAME]` of a stage.toml.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::ChecksDecl;

/// Form of an artifact on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// One Parquet file; identified by its schema and rows.
    Table,
    /// One file; identified by its bytes.
    File,
    /// A folder; identified by the names and bytes of its files.
    Directory,
    /// Raw files matched by a source's pattern. Only an input can be this.
    Files,
}

/// Format of a table for a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    /// Parquet.
    #[default]
    Parquet,
    /// One JSON object a line, for workers without a Parquet library.
    Json,
}

/// Figure that shows an output in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// A PNG, JPEG or GIF file, or a film (MP4).
    Picture,
    /// The rows of a table. Columns `x_low` and `x_high` next to a column `x` are the interval of its values.
    Table,
    /// Some of a table's images, evenly chosen.
    Images,
    /// Points of a table in the plane, by its columns `NAME_x` and `NAME_y`, coloured by its other columns; a column of
    /// images shows what the point under the pointer is.
    Scatter,
}

impl Figure {
    /// Kind of output that can be shown in this way.
    pub fn of(self) -> ArtifactKind {
        match self {
            Self::Picture => ArtifactKind::File,
            Self::Table | Self::Images | Self::Scatter => ArtifactKind::Table,
        }
    }
}

/// One `[inputs.NAME]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputDecl {
    /// Kind of artifact that the stage expects; `files` also accepts a `file` artifact.
    pub kind: ArtifactKind,
    /// May be left unwired.
    #[serde(default)]
    pub optional: bool,
    /// May be wired to an output that is `held_out`.
    #[serde(default)]
    pub held_out: bool,
    /// Takes several: all instances of a stage that is fanned out, or all files of a source.
    #[serde(default)]
    pub many: bool,
    /// May be handed a table as a folder of Parquet files, each sorted by the key, instead of one.
    #[serde(default)]
    pub parts: bool,
    /// Format in which the worker reads a table.
    #[serde(default)]
    pub format: TableFormat,
    /// Of files with verdicts of people: what they are on. `callsheet curate` writes them.
    pub verdicts: Option<VerdictsOn>,
    /// One line for the user.
    pub doc: String,
}

/// Table that verdicts of people refer to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictsOn {
    /// Table that has the rows: an input of the same stage.
    pub input: Option<String>,
    /// Table that has the rows, instead of an input: an output of the same stage. It lacks excluded rows, so the keys in
    /// the file of verdicts are accepted as well.
    pub output: Option<String>,
    /// Column of text that names its rows.
    pub key: String,
}

/// One `[outputs.NAME]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputDecl {
    /// Kind of artifact that the stage writes.
    pub kind: ArtifactKind,
    /// Name of the file or folder as the stage writes it and as `data/out` shows it.
    pub path: String,
    /// The columns of a table, by name; see [`callsheet_worker::table::check_columns`] for the types.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Format in which the worker writes a table; json needs declared columns.
    #[serde(default)]
    pub format: TableFormat,
    /// Truth that training must not see: only inputs that say `held_out` may read it.
    #[serde(default)]
    pub held_out: bool,
    /// Checks of a table before it is published.
    #[serde(default)]
    pub checks: ChecksDecl,
    /// Figure in reports; none by default.
    pub figure: Option<Figure>,
    /// One line for the user.
    pub doc: String,
}
