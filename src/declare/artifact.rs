//! `[inputs.NAME]` and `[outputs.NAME]` of a stage.toml.

use std::collections::BTreeMap;

use callsheet_worker::protocol::{DeclaredArtifact, DeclaredVerdicts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::ChecksDecl;
use super::headline::HeadlineDecl;

/// Kind of an artifact on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// Table in Parquet format; identified by its schema and rows.
    Table,
    /// One file; identified by its bytes.
    File,
    /// Folder; identified by the names and bytes of its files.
    Directory,
    /// Raw files that match the pattern of a source. Only an input can have this kind.
    Files,
}

impl ArtifactKind {
    /// Name in stage.toml.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::File => "file",
            Self::Directory => "directory",
            Self::Files => "files",
        }
    }
}

/// Format in which a worker reads or writes a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    /// Parquet.
    #[default]
    Parquet,
    /// One JSON object per line, for workers without a Parquet library.
    Json,
}

impl TableFormat {
    /// Name in stage.toml.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Json => "json",
        }
    }
}

/// Figure that shows an output in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// Image file (PNG, JPEG or GIF), or video file (MP4).
    Picture,
    /// Rows of a table. Columns `x_low` and `x_high` next to a column `x` are the bounds of an interval
    /// around its values.
    Table,
    /// Images of a table, evenly chosen if there are many.
    Images,
    /// Scatter plot of the columns `NAME_x` and `NAME_y` of a table, coloured by its other columns. If the
    /// table has a column of images, the plot shows the image of the point under the pointer.
    Scatter,
}

impl Figure {
    /// Kind of output that this figure can show.
    pub fn of(self) -> ArtifactKind {
        match self {
            Self::Picture => ArtifactKind::File,
            Self::Table | Self::Images | Self::Scatter => ArtifactKind::Table,
        }
    }
}

/// Input of a stage: one `[inputs.NAME]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputDecl {
    /// Kind of artifact that the stage expects; `files` also accepts a `file` artifact.
    pub kind: ArtifactKind,
    /// True if the stage also runs without the input: not wired, or wired to a source without files. Default:
    /// false.
    #[serde(default)]
    pub optional: bool,
    /// True if the input may read an output that declares `held_out = true`. Default: false.
    #[serde(default)]
    pub held_out: bool,
    /// True if the input reads several artifacts: those of all instances of a stage that is fanned out, or
    /// all files of a source. Default: false.
    #[serde(default)]
    pub many: bool,
    /// True if the worker can read a table that is a folder of Parquet files, each sorted by the key.
    /// Otherwise the engine joins them to one file first. Default: false.
    #[serde(default)]
    pub parts: bool,
    /// Format in which the worker reads a table. Default: `parquet`.
    #[serde(default)]
    pub format: TableFormat,
    /// Table to which the verdicts in these files refer, if `callsheet curate` writes the files. Default:
    /// none.
    pub verdicts: Option<VerdictsOn>,
    /// Description for users, in one line.
    pub doc: String,
}

impl InputDecl {
    /// Returns the declaration as a request contains it.
    pub fn to_request(&self) -> DeclaredArtifact {
        DeclaredArtifact {
            kind: self.kind.name().to_owned(),
            format: self.format.name().to_owned(),
            many: self.many,
            verdicts: self.verdicts.as_ref().map(VerdictsOn::to_request),
            ..DeclaredArtifact::default()
        }
    }
}

/// Table to whose rows verdicts of people refer: either an input or an output of the stage.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictsOn {
    /// Name of the input that is the table.
    pub input: Option<String>,
    /// Name of the output that is the table, instead of an input. It lacks excluded rows, so
    /// `callsheet curate` also accepts the keys in the file of verdicts.
    pub output: Option<String>,
    /// Column that identifies the rows: texts or integers.
    pub key: String,
}

impl VerdictsOn {
    /// Returns the declaration as a request contains it.
    fn to_request(&self) -> DeclaredVerdicts {
        let table = self.input.as_ref().or(self.output.as_ref()).cloned().unwrap_or_default();
        DeclaredVerdicts { table, key: self.key.clone() }
    }
}

/// Output of a stage: one `[outputs.NAME]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputDecl {
    /// Kind of artifact that the stage writes.
    pub kind: ArtifactKind,
    /// Name of the file or folder that the stage writes; `data/out` shows it under this name.
    pub path: String,
    /// Types of a table's columns by name: string, bool, int32, int64, float32, float64, binary, image,
    /// `list<TYPE>` or `TYPE[LENGTH]`. A table with other columns is not published. Default: any columns are
    /// accepted.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Format in which the worker writes a table; `json` requires `columns`. Default: `parquet`.
    #[serde(default)]
    pub format: TableFormat,
    /// True if the file or folder may be empty. Default: false, because an empty output is usually a mistake.
    #[serde(default)]
    pub allow_empty: bool,
    /// True for ground truth that training must not see: only inputs with `held_out = true` may read it.
    /// Default: false.
    #[serde(default)]
    pub held_out: bool,
    /// Checks of a table before it is published. Default: none.
    #[serde(default)]
    pub checks: ChecksDecl,
    /// Figure that shows the output in reports. Default: none.
    pub figure: Option<Figure>,
    /// True if a report shows the picture at its beginning. Default: false.
    #[serde(default)]
    pub lead: bool,
    /// Comparison of the table's rows with which a report begins. Default: none.
    pub headline: Option<HeadlineDecl>,
    /// Description for users, in one line.
    pub doc: String,
}

impl OutputDecl {
    /// Returns the declaration as a request contains it.
    pub fn to_request(&self) -> DeclaredArtifact {
        DeclaredArtifact {
            kind: self.kind.name().to_owned(),
            format: self.format.name().to_owned(),
            columns: self.columns.clone(),
            ..DeclaredArtifact::default()
        }
    }
}
