//! Command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "callsheet", bin_name = "callsheet", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Subcommands,
}

#[derive(Subcommand)]
pub(crate) enum Subcommands {
    Serve(Serve),
    /// Run a stage of the demonstration; `callsheet run` starts it
    #[command(hide = true)]
    DemoStage {
        /// Name of the stage
        stage: String,
        /// Path of its request
        request: PathBuf,
    },
}

/// Show plan, runs and artifacts in a browser
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet serve                       print a link that opens the pages of the default pipeline
  callsheet serve -p shop --port 8000
  callsheet serve --demo                try the pages on a small project
  callsheet serve --link                print a new link to the server that is running
  ssh -L 4270:127.0.0.1:4270 HOST       on your own machine, to open the link of a server on HOST

The server answers only browsers that were opened with its link, and only on this machine. It reads what runs have
written and never changes a run: end it at any time with Ctrl-C. Its pages can change one file: the verdicts that
`callsheet curate` writes, too. A link opens one browser, within an hour; after that,
the browser needs no link.")]
pub(crate) struct Serve {
    /// Pipeline, a file in pipelines/ [default: `pipeline` in callsheet.toml, or the only pipeline]
    #[arg(short, long, env = "CALLSHEET_PIPELINE")]
    pub pipeline: Option<String>,
    /// Dataset, a file in pipelines/datasets/ [default: `dataset` in callsheet.toml]
    #[arg(short, long, env = "CALLSHEET_DATASET")]
    pub dataset: Option<String>,
    /// Profile, a file in pipelines/profiles/ [default: `profile` in callsheet.toml]
    #[arg(short = 'P', long, env = "CALLSHEET_PROFILE")]
    pub profile: Option<String>,
    /// Port of the server; 0 selects a free one [default: 4270, or a free one if 4270 is taken]
    #[arg(long)]
    pub port: Option<u16>,
    /// Address on which the server listens. Anyone who can reach another address than 127.0.0.1 can read the link and
    /// the pages on the way, because they are not encrypted
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Serve a small project of painted photos, in the folder callsheet-demo
    #[arg(long, conflicts_with = "link")]
    pub demo: bool,
    /// Show pages only: verdicts cannot be changed
    #[arg(long)]
    pub read_only: bool,
    /// Print a new link to the server of this project that is running
    #[arg(long, conflicts_with_all = ["port", "bind", "read_only"])]
    pub link: bool,
}
