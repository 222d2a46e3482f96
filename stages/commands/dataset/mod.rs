//! `callsheet dataset`: which datasets there are, and whether what lies in `data/raw` is whole.

mod check;
mod expected;
mod list;
mod report;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Which datasets there are, and whether their raw files are whole
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet dataset                  # which there are, and how many files each has\n  \
    callsheet dataset check facades    # decode every file: counts, sizes, halves, duplicates\n  \
    make fetch DATASET=facades         # fetch it from its public address")]
pub struct Dataset {
    #[command(subcommand)]
    command: Option<DatasetCommands>,
}

#[derive(Subcommand)]
enum DatasetCommands {
    /// Decode every raw file of a dataset and tell what is missing or wrong; exit code 1 if anything is
    Check {
        /// Its file in pipelines/datasets, without .toml
        name: String,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Dataset {
    /// # Errors
    /// When there is no such dataset, or its file is malformed.
    pub fn execute(&self) -> Result<u8> {
        match &self.command {
            None => list::list(),
            Some(DatasetCommands::Check { name, json }) => check::check(name, *json),
        }
    }
}
