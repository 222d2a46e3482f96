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
//! | `tables`, `view` | tables that stay open, and columns of several of them |
//! | `rows`, `histogram`, `points`, `thumbnails` | parts of a table, for the scripts of pages |
//! | `data` | answers with these parts |
//! | `verdicts` | verdicts on rows, and the work that they cause |
//! | `next_run` | texts about the work of the next run |
//! | `images`, `image_type` | answers with images, and their types |
//! | `run_stage` | a stage instance of a run, found by the names in an address |
//! | `samples` | images that stages reported |
//! | `live` | events of a run as they are written |
//! | `assets` | styles and scripts |
//! | `demo` | a small project to try the pages on |

mod address;
mod app;
mod args;
mod artifact;
mod assets;
mod data;
mod demo;
mod failure;
mod guard;
mod histogram;
mod image_type;
mod images;
mod live;
mod next_run;
mod pages;
mod points;
mod routes;
mod rows;
mod run_stage;
mod samples;
mod secret;
mod select;
mod server;
mod tables;
mod thumbnails;
mod verdicts;
mod view;

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
    let command = match args::Cli::parse().command {
        args::Subcommands::Serve(command) => command,
        args::Subcommands::DemoStage { stage, request } => return demo::run_stage(&stage, &request),
    };
    let prepared = if command.demo { demo::open() } else { Ok(()) };
    match prepared.and_then(|()| server::serve(&command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{:?}", miette::Report::new(error)));
            ExitCode::from(REFUSED)
        }
    }
}
