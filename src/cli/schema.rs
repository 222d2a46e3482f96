//! `callsheet schema`.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::print::{print_document, print_text};
use clap::{Args, ValueEnum};

use super::exit::SUCCESS;
use crate::declare::{Project, pipeline_schema, project_schema, stage_schema};

/// Print the JSON Schema of a declaration, for editors
///
/// Editors with a TOML language server complete names, show their documentation, and mark errors in files that begin
/// with a line like `#:schema ../../.callsheet/schemas/stage.schema.json`. `callsheet init` and `callsheet new` write
/// this line.
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet schema stage      print the schema of stage.toml
  callsheet schema pipeline   print the schema of pipelines, datasets and profiles
  callsheet schema --write    write all schemas to .callsheet/schemas/ of the project, e.g. after an upgrade")]
pub(super) struct Schema {
    /// Kind of the declaration
    #[arg(required_unless_present = "write")]
    declaration: Option<Declaration>,
    /// Write the schemas of all declarations to .callsheet/schemas/ of the project
    #[arg(long, conflicts_with = "declaration")]
    write: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Declaration {
    /// stage.toml
    Stage,
    /// A pipeline, dataset or profile file
    Pipeline,
    /// callsheet.toml
    Project,
}

impl Declaration {
    fn schema(self) -> schemars::Schema {
        match self {
            Self::Stage => stage_schema(),
            Self::Pipeline => pipeline_schema(),
            Self::Project => project_schema(),
        }
    }

    /// Path of the schema's file in a project.
    fn path(self) -> PathBuf {
        let name = match self {
            Self::Stage => "stage",
            Self::Pipeline => "pipeline",
            Self::Project => "project",
        };
        Path::new(FOLDER).join(format!("{name}.schema.json"))
    }

    /// Kind of the declaration in a file; `None` for other files.
    fn of(file: &Path) -> Option<Self> {
        match (file.file_name()?.to_str()?, file.parent()?.components().count()) {
            ("callsheet.toml", 0) => Some(Self::Project),
            ("stage.toml", 1..) => Some(Self::Stage),
            (name, 1..) if name.ends_with(".toml") && name != "Cargo.toml" => Some(Self::Pipeline),
            _ => None,
        }
    }
}

/// Folder of the schemas in a project.
const FOLDER: &str = ".callsheet/schemas";

impl Schema {
    pub(super) fn execute(&self) -> Result<u8> {
        match self.declaration {
            Some(declaration) => print_document(&declaration.schema()),
            None => write(&Project::find()?.root)?,
        }
        Ok(SUCCESS)
    }
}

/// Writes all schemas to a project.
fn write(root: &Path) -> Result<()> {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).io_context("cannot create", &folder)?;
    for (name, text) in files() {
        let path = root.join(&name);
        if path.is_dir() {
            let message = format!("`{}` is a folder", path.display());
            return Err(Error::user_error(Code::Conflict, message, "rename the folder"));
        }
        fs::write(&path, text).io_context("cannot write", &path)?;
        print_text(&format!("wrote {}", name.display()));
    }
    Ok(())
}

/// Returns the names and contents of the files with the schemas, relative to the project.
pub(super) fn files() -> impl Iterator<Item = (PathBuf, String)> {
    let text = |schema: &schemars::Schema| serde_json::to_string_pretty(schema).expect("plain data") + "\n";
    Declaration::value_variants()
        .iter()
        .map(move |declaration| (declaration.path(), text(&declaration.schema())))
}

/// Returns true if a project has the schemas.
pub(super) fn has_schemas(root: &Path) -> bool {
    root.join(FOLDER).is_dir()
}

/// Returns the text of a declaration with a first line that names its schema. `file` is relative to the project.
pub(super) fn with_reference(file: &Path, text: &str) -> String {
    let Some(declaration) = Declaration::of(file) else { return text.to_owned() };
    let up = file.parent().map_or(0, |folder| folder.components().count());
    format!("#:schema {}{}\n{text}", "../".repeat(up), declaration.path().display())
}
