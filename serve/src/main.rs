//! `callsheet-serve`: the web UI. `callsheet serve` starts this program.
//!
//! The server reads what the engine has written, and answers only browsers that were opened with its link.
//!
//! | module | content |
//! |---|---|
//! | `args` | command line |
//! | `address` | addresses of pages |
//! | `app` | the project, its store, and the selected pipeline |
//! | `secret` | codes of links and cookies of browsers |
//! | `guard` | what every request must satisfy, and headers of every answer |
//! | `routes` | addresses and their handlers |
//! | `pages` | HTML of the pages |
//! | `artifact` | artifacts of the latest results, found by the names in an address |
//! | `select` | conditions and order of rows |
//! | `tables` | tables that stay open |
//! | `rows`, `histogram`, `thumbnails` | parts of a table, for the scripts of pages |
//! | `data` | answers with these parts |
//! | `images` | images in cells of tables |
//! | `run_stage` | a stage instance of a run, found by the names in an address |
//! | `samples` | images that stages reported |
//! | `live` | events of a run as they are written |
//! | `assets` | styles and scripts |

mod address;
mod app;
mod args;
mod artifact;
mod assets;
mod data;
mod failure;
mod guard;
mod histogram;
mod images;
mod live;
mod pages;
mod routes;
mod rows;
mod run_stage;
mod samples;
mod secret;
mod select;
mod server;
mod tables;
mod thumbnails;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use callsheet_worker::print::say;
use clap::Parser;
use miette::MietteHandlerOpts;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code of every error.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    // As in callsheet, lines of errors are wrapped only in a terminal.
    let wrap = std::io::stderr().is_terminal();
    let handler = move |_: &_| Box::new(MietteHandlerOpts::new().wrap_lines(wrap).build()) as Box<_>;
    let _ = miette::set_hook(Box::new(handler));
    let args::Subcommands::Serve(command) = args::Cli::parse().command;
    match server::serve(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{:?}", miette::Report::new(error)));
            ExitCode::from(REFUSED)
        }
    }
}
