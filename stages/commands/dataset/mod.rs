//! `callsheet dataset`: check of the raw files in `data/raw`.

mod check;
mod expected;
mod left_out;
mod numbers;
mod report;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Check the raw files of a dataset
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet dataset check facades    # decode every file; report sizes, duplicates and faulty pairs\n  \
    make fetch DATASET=facades         # download the files of facades from their public address")]
pub(super) struct Dataset {
    #[command(subcommand)]
    command: DatasetCommands,
}

#[derive(Subcommand)]
enum DatasetCommands {
    /// Decode every raw file of a dataset and report missing, faulty and left out files, and gaps in numbered images;
    /// exit code 1 if there are any
    Check {
        /// Name of the dataset: its file in pipelines/datasets, without .toml
        name: String,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Dataset {
    /// # Errors
    /// Returns an error if the engine cannot be started, or `[metadata]` of the dataset is malformed.
    pub(super) fn execute(&self) -> Result<u8> {
        let DatasetCommands::Check { name, json } = &self.command;
        check::check(name, *json)
    }
}
