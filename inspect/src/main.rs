//! `callsheet-inspect`: what is in a table. `callsheet inspect` and `callsheet sheet` start it.
//!
//! | module | from | to |
//! |---|---|---|
//! | `artifacts` | a pipeline over a dataset, asked of `callsheet` | names and places of its tables |
//! | `table` | a Parquet file, or a folder of them | a lazy frame, and what the footers say |
//! | `query` | tables, `--where`, `--sql`, `--head`, `--sample` | the rows that are asked for |
//! | `statistics`, `overview` | a table | what its columns hold |
//! | `diff`, `drift` | two tables | rows that came, went and changed; columns that moved |
//! | `sheet` | tables of images | contact sheets |
//! | `output` | rows | text, CSV, JSON, Parquet |

mod artifacts;
mod diff;
mod drift;
mod footer;
mod inspect;
mod output;
mod overview;
mod query;
mod sheet;
mod statistics;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tables are the same with `--check`; nothing moved beyond `--max-psi`.
const SUCCESS: u8 = 0;
/// `--diff`: they differ.
const DIFFERENT: u8 = 1;
/// The command line, a query or a file is wrong.
const REFUSED: u8 = 2;

#[derive(Parser)]
#[command(name = "callsheet", bin_name = "callsheet", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    Inspect(Box<inspect::Inspect>),
    Sheet(Box<sheet::SheetCommand>),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Subcommands::Inspect(command) => command.execute(),
        Subcommands::Sheet(command) => command.execute(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::say(&format!("{error:?}"));
            ExitCode::from(REFUSED)
        }
    }
}
