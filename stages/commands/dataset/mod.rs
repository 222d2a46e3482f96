//! `callsheet dataset`: whether what lies in `data/raw` is whole.

mod check;
mod expected;
mod report;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Check the raw files of a dataset
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet dataset check facades    # decode every file: counts, sizes, halves, duplicates\n  \
    make fetch DATASET=facades         # fetch it from its public address")]
pub(super) struct Dataset {
    #[command(subcommand)]
    command: DatasetCommands,
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
    pub(super) fn execute(&self) -> Result<u8> {
        let DatasetCommands::Check { name, json } = &self.command;
        check::check(name, *json)
    }
}
