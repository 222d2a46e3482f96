//! Commands about images and models, which `callsheet` starts. They run no stage and cache nothing.

mod dataset;
mod exit;
mod images;
mod measure;
mod paths;
mod project;
mod study;
mod tables;
mod terminal;
mod training_times;
mod translate;
mod weights;

use std::process::ExitCode;

use anyhow::Result;
use callsheet_worker::error::set_error_format;
use callsheet_worker::print::print_error;
use callsheet_worker::with_code;
use clap::{Parser, Subcommand};

use exit::REFUSED;

#[derive(Parser)]
#[command(name = "callsheet", bin_name = "callsheet", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Subcommand)]
enum Commands {
    Dataset(dataset::Dataset),
    Measure(measure::Measure),
    Study(study::Study),
    Tables(tables::Tables),
    #[command(name = "training_times")]
    TrainingTimes(training_times::TrainingTimes),
    Translate(translate::Translate),
    Weights(weights::Weights),
}

/// Names of the commands.
pub(crate) const NAMES: [&str; 7] =
    ["dataset", "measure", "study", "tables", "training_times", "translate", "weights"];

/// Runs the command that the command line names.
pub(crate) fn main() -> ExitCode {
    set_error_format();
    let result: Result<u8> = match Cli::parse().command {
        Commands::Dataset(command) => command.execute(),
        Commands::Measure(command) => command.execute(),
        Commands::Study(command) => command.execute(),
        Commands::Tables(command) => command.execute(),
        Commands::TrainingTimes(command) => command.execute(),
        Commands::Translate(command) => command.execute(),
        Commands::Weights(command) => command.execute(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            print_error(with_code(&error));
            ExitCode::from(REFUSED)
        }
    }
}
