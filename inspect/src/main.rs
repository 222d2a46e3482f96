//! `callsheet-inspect`: viewer for tables. `callsheet inspect` and `callsheet sheet` start this program.
//!
//! | module | from | to |
//! |---|---|---|
//! | `artifacts` | a pipeline over a dataset, listed by `callsheet ls` | names and paths of its tables |
//! | `table` | a Parquet file, or a folder of them | a lazy frame, and the contents of the footers |
//! | `rows` | a table, `--where`, `--head`, `--sample` | the selected rows |
//! | `sql` | tables by name, a query | the result of the query |
//! | `statistics`, `overview` | a table | statistics of its columns |
//! | `damage` | a failure | the damaged file, if there is one |
//! | `diff`, `drift` | two tables | added, removed and changed rows; drift of columns |
//! | `sheet` | tables of images | contact sheets |
//! | `frame` | a lazy frame | its rows |
//! | `output` | rows | text, CSV, JSON, Parquet |

mod artifacts;
mod code;
mod damage;
mod diff;
mod drift;
mod exit;
mod footer;
mod frame;
mod inspect;
mod output;
mod overview;
mod rows;
mod sheet;
mod sql;
mod statistics;
mod table;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use miette::MietteHandlerOpts;

use exit::REFUSED;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    // As in callsheet, lines of errors are wrapped only in a terminal.
    let wrap = std::io::stderr().is_terminal();
    let handler = move |_: &_| Box::new(MietteHandlerOpts::new().wrap_lines(wrap).build()) as Box<_>;
    let _ = miette::set_hook(Box::new(handler));
    let command = Cli::parse().command;
    // The query engine panics on some types and joins, and tables may come from any program. A panic is
    // printed as an error below.
    std::panic::set_hook(Box::new(|_| {}));
    let execute = || match command {
        Subcommands::Inspect(command) => command.execute(),
        Subcommands::Sheet(command) => command.execute(),
    };
    let error = match callsheet_panics::caught(execute) {
        Ok(Ok(code)) => return ExitCode::from(code),
        Ok(Err(error)) => code::coded(error),
        Err(reason) => unknown(&reason),
    };
    output::say(&format!("{:?}", damage::explained(error)));
    ExitCode::from(REFUSED)
}

/// Error for a panic of the query engine.
fn unknown(reason: &str) -> miette::Report {
    miette::miette!(
        code = code::UNSUPPORTED,
        help = "try other columns or another query; some types and kinds of query are unsupported",
        "the query engine failed: {reason}"
    )
}
