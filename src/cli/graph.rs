//! `callsheet graph`.

mod dot;
mod drawing;
mod mermaid;

use callsheet_worker::error::Result;
use callsheet_worker::print::print_text;
use clap::{Args, ValueEnum};

use super::exit::SUCCESS;
use super::target::TargetArgs;
use drawing::Drawing;

/// Print the stage graph as Mermaid or DOT
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet graph                             Mermaid, which code hosts render in Markdown
  callsheet graph --format dot | dot -Tsvg > graph.svg")]
pub(super) struct Graph {
    #[command(flatten)]
    which: TargetArgs,
    /// Format of the graph
    #[arg(long, default_value = "mermaid")]
    format: Format,
    /// Show every instance of a stage that is declared with `foreach` [default: one node per stage, labelled
    /// with the number of its instances]
    #[arg(long)]
    instances: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Mermaid,
    Dot,
}

impl Graph {
    pub(super) fn execute(&self) -> Result<u8> {
        let drawing = Drawing::new(&self.which.resolve()?, self.instances);
        print_text(
            match self.format {
                Format::Mermaid => mermaid::write(&drawing),
                Format::Dot => dot::write(&drawing),
            }
            .trim_end(),
        );
        Ok(SUCCESS)
    }
}
