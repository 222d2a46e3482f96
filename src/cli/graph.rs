//! `callsheet graph`.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_worker::error::Result;
use callsheet_worker::print::print_text;
use clap::{Args, ValueEnum};

use super::exit::SUCCESS;
use super::target::TargetArgs;
use crate::plan::{Input, Plan, StageInstance};

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
        let plan = self.which.resolve()?;
        print_text(
            match self.format {
                Format::Mermaid => mermaid(&plan, self.instances),
                Format::Dot => dot(&plan, self.instances),
            }
            .trim_end(),
        );
        Ok(SUCCESS)
    }
}

/// Name of a stage's node in the graph.
fn node(stage: &StageInstance, instances: bool) -> &str {
    if instances { &stage.name } else { stage.group() }
}

/// Returns every edge once, as (producer, true if it is a source, artifact, consumer).
fn edges(plan: &Plan, instances: bool) -> Vec<(&str, bool, &str, &str)> {
    let mut edges = Vec::new();
    let mut seen = BTreeSet::new();
    for stage in &plan.stages {
        let to = node(stage, instances);
        for input in stage.inputs.values() {
            let from = match input {
                Input::Source { name, .. } => vec![(name.as_str(), true, "", to)],
                Input::Artifact { output, .. } | Input::Gather { output, .. } => {
                    let producers = input.producers().iter().map(|stage| &plan.stages[*stage]);
                    producers.map(|from| (node(from, instances), false, output.as_str(), to)).collect()
                }
            };
            edges.extend(from.into_iter().filter(|edge| seen.insert(*edge)));
        }
    }
    edges
}

/// Labels such as `train ×6` of fanned-out stages that are drawn once, by stage name.
fn counted(plan: &Plan) -> BTreeMap<&str, String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for stage in plan.stages.iter().filter(|stage| !stage.values.is_empty()) {
        *counts.entry(stage.group()).or_default() += 1;
    }
    counts.into_iter().map(|(name, count)| (name, format!("{name} ×{count}"))).collect()
}

fn mermaid(plan: &Plan, instances: bool) -> String {
    let counted = counted(plan);
    let mut text = "flowchart TD\n".to_owned();
    for stage in plan.stages.iter().filter(|stage| !stage.values.is_empty()) {
        let name = node(stage, instances);
        let label = counted.get(name).map_or(name, String::as_str);
        let line = format!("  {}[\"{label}\"]\n", id(name));
        if !text.contains(&line) {
            text += &line;
        }
    }
    for (from, source, what, to) in edges(plan, instances) {
        let label = if what.is_empty() { String::new() } else { format!("|{what}|") };
        let round = if source { format!("([{from}])") } else { String::new() };
        text += &format!("  {}{round} -->{label} {}\n", id(from), id(to));
    }
    text
}

/// Returns a node id for Mermaid, where some characters of an instance's name have a meaning of their own.
fn id(name: &str) -> String {
    if !name.contains('@') {
        return name.to_owned();
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:x}_", c as u32) };
    name.chars().map(plain).collect()
}

fn dot(plan: &Plan, instances: bool) -> String {
    let counted = counted(plan);
    let mut text = "digraph pipeline {\n  node [shape=box];\n".to_owned();
    for (from, _, what, to) in edges(plan, instances) {
        let shown = |name: &str| counted.get(name).map_or(name, String::as_str).to_owned();
        text += &format!("  \"{}\" -> \"{}\" [label=\"{what}\"];\n", shown(from), shown(to));
    }
    text + "}\n"
}
