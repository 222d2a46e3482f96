//! `callsheet schema`.

use callsheet_worker::error::Result;
use callsheet_worker::print::print_document;
use clap::{Args, ValueEnum};

use super::exit::SUCCESS;
use crate::declare::{pipeline_schema, project_schema, stage_schema};

/// Print the JSON Schema of a declaration, for editors
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet schema stage > stage.schema.json        then write this first line in a stage.toml:
                                                    #:schema ../../stage.schema.json
  callsheet schema pipeline > pipeline.schema.json  datasets and profiles have this schema, too

Editors with a TOML language server then complete names, show their documentation, and mark errors.")]
pub(super) struct Schema {
    /// Kind of the declaration
    declaration: Declaration,
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

impl Schema {
    pub(super) fn execute(&self) -> Result<u8> {
        print_document(&match self.declaration {
            Declaration::Stage => stage_schema(),
            Declaration::Pipeline => pipeline_schema(),
            Declaration::Project => project_schema(),
        });
        Ok(SUCCESS)
    }
}
