//! `callsheet graph`.

use clap::{Args, ValueEnum};

use super::{SUCCESS, Which, print_text};
use crate::error::Result;
use crate::plan::{Input, Plan};

/// Draw the stage graph
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet graph                             Mermaid, which code hosts draw in Markdown
  callsheet graph --format dot | dot -Tsvg > graph.svg")]
pub struct Graph {
    #[command(flatten)]
    which: Which,
    /// Language of the drawing
    #[arg(long, default_value = "mermaid")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Mermaid,
    Dot,
}

impl Graph {
    pub fn execute(&self) -> Result<u8> {
        let (_, _, plan) = self.which.resolve()?;
        print_text(
            match self.format {
                Format::Mermaid => mermaid(&plan),
                Format::Dot => dot(&plan),
            }
            .trim_end(),
        );
        Ok(SUCCESS)
    }
}

/// Every edge as (from, what flows, to); sources are drawn round.
fn edges(plan: &Plan) -> Vec<(String, &str, &str)> {
    let mut edges = Vec::new();
    for stage in &plan.stages {
        for input in stage.inputs.values() {
            let (from, what) = match input {
                Input::Source { name, .. } => (format!("{name}([{name}])"), ""),
                Input::Artifact { stage, output } => (plan.stages[*stage].name.clone(), output.as_str()),
            };
            edges.push((from, what, stage.name.as_str()));
        }
    }
    edges
}

fn mermaid(plan: &Plan) -> String {
    let mut text = "flowchart TD\n".to_owned();
    for (from, what, to) in edges(plan) {
        let label = if what.is_empty() { String::new() } else { format!("|{what}|") };
        text += &format!("  {from} -->{label} {to}\n");
    }
    text
}

fn dot(plan: &Plan) -> String {
    let mut text = "digraph pipeline {\n  node [shape=box];\n".to_owned();
    for (from, what, to) in edges(plan) {
        let from = from.split('(').next().unwrap_or_default();
        text += &format!("  \"{from}\" -> \"{to}\" [label=\"{what}\"];\n");
    }
    text + "}\n"
}
