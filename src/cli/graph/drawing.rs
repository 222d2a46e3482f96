//! Nodes and edges of a plan, independent of the format of the graph.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Input, Plan, StageInstance};

/// Stage or source with the text in its box.
#[derive(Debug, PartialEq)]
pub(super) struct Node {
    /// Text in the box.
    pub(super) label: String,
    /// True for a source of raw files.
    pub(super) source: bool,
}

/// Graph of a plan. A node is named by its position, because names of stages can be keywords of a format.
#[derive(Debug)]
pub(super) struct Drawing {
    /// Sources and stages, each once. Stages that nothing connects are included.
    pub(super) nodes: Vec<Node>,
    /// Producer, name of the artifact (empty for a source) and consumer of every connection, each once.
    pub(super) edges: Vec<(usize, String, usize)>,
}

impl Drawing {
    /// Draws a plan: every instance of a stage, or every stage once.
    pub(super) fn new(plan: &Plan, instances: bool) -> Self {
        let mut drawing = Self { nodes: Vec::new(), edges: Vec::new() };
        let (mut places, mut seen) = (Places::new(), BTreeSet::new());
        let counts = counts(plan);
        for stage in &plan.stages {
            let name = node(stage, instances);
            let to = drawing.place(&mut places, false, name, &label(stage, &counts, instances));
            for input in stage.inputs.values() {
                let from = match input {
                    Input::Source { name, .. } => {
                        vec![(drawing.place(&mut places, true, name, name), String::new())]
                    }
                    Input::Artifact { output, .. } | Input::Gather { output, .. } => {
                        let producers = input.producers().iter().map(|stage| &plan.stages[*stage]);
                        producers
                            .map(|from| (places[&(false, node(from, instances).to_owned())], output.clone()))
                            .collect()
                    }
                };
                let edges = from.into_iter().map(|(from, what)| (from, what, to));
                drawing.edges.extend(edges.filter(|edge| seen.insert(edge.clone())));
            }
        }
        drawing
    }

    fn place(&mut self, places: &mut Places, source: bool, name: &str, label: &str) -> usize {
        *places.entry((source, name.to_owned())).or_insert_with(|| {
            self.nodes.push(Node { label: label.to_owned(), source });
            self.nodes.len() - 1
        })
    }
}

/// Position of each node. A source and a stage may have one name.
type Places = BTreeMap<(bool, String), usize>;

/// Name of the node of a stage.
fn node(stage: &StageInstance, instances: bool) -> &str {
    if instances { &stage.name } else { stage.group() }
}

/// Number of instances of each stage.
fn counts(plan: &Plan) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for stage in &plan.stages {
        *counts.entry(stage.group()).or_default() += 1;
    }
    counts
}

/// Text of a stage's box, such as `train ×6` for a stage with six instances.
fn label(stage: &StageInstance, counts: &BTreeMap<&str, usize>, instances: bool) -> String {
    let name = node(stage, instances);
    if instances || stage.values.is_empty() { name.to_owned() } else { format!("{name} ×{}", counts[name]) }
}
