//! Drawing of the graph of stages.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use rust_sugiyama::configure::{Config, RankingType};
use rust_sugiyama::from_vertices_and_edges;

use super::subject::{Done, Subject};
use crate::store::StageState;
use callsheet_figures::label::human_seconds;
use callsheet_worker::print::width;

/// Largest number of stages that a report draws. The stages of a larger graph are only in the table.
pub(super) const MOST: usize = 200;
/// Height of a box, width of a letter, and margin, in pixels.
const HEIGHT: f64 = 42.0;
const LETTER: f64 = 7.4;
const MARGIN: f64 = 14.0;
/// States from worst to best. A fanned-out stage has the worst state of its instances.
const WORST: [StageState; 7] = [
    StageState::Failed,
    StageState::Blocked,
    StageState::Stopped,
    StageState::NotDone,
    StageState::Running,
    StageState::Ran,
    StageState::Cached,
];

/// Stage with all its instances.
struct Node<'a> {
    name: &'a str,
    count: usize,
    state: StageState,
    seconds: f64,
}

/// Draws the stages of a run, each in a box with its state and duration, below the stages that it reads from. Draws nothing
/// if the run has one stage, or more than `most`.
pub fn graph(subject: &Subject, most: usize) -> Markup {
    let nodes = nodes(&subject.stages);
    if nodes.len() < 2 || nodes.len() > most {
        return html! {};
    }
    let at: BTreeMap<&str, u32> = nodes.iter().map(|node| node.name).zip(0..).collect();
    let place = |stage: usize| at[subject.stages[stage].group()];
    let edges = subject.edges.iter().map(|(from, to)| (place(*from), place(*to)));
    let edges: BTreeSet<(u32, u32)> = edges.filter(|(from, to)| from != to).collect();
    let (places, width, height) = places(&nodes, &edges.iter().copied().collect::<Vec<_>>());
    let alt = format!("Graph of {} stages; the table below contains the same data", nodes.len());
    html! {
        div.wide tabindex="0" role="region" aria-label="graph" {
            svg.graph role="group" aria-label=(alt) width=(width) height=(height)
                viewBox=(format!("0 0 {width} {height}")) {
                @for (from, to) in &edges {
                    path d=(curve(places[*from as usize], places[*to as usize])) {}
                }
                @for (node, (x, y)) in nodes.iter().zip(&places) {
                    @let (width, left) = (node.width(), x - node.width() / 2.0);
                    a href=(format!("#{}", node.name)) {
                        title { (node.name) ": " (node.state) }
                        rect class=(node.state.to_string().replace(' ', "-")) x=(left) y=(y - HEIGHT / 2.0)
                            width=(width) height=(HEIGHT) rx="6" {}
                        text x=(x) y=(y - 3.0) { (node.title()) }
                        text.state x=(x) y=(y + 13.0) { (node.told()) }
                    }
                }
            }
        }
    }
}

fn nodes(stages: &[Done]) -> Vec<Node<'_>> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut at: BTreeMap<&str, usize> = BTreeMap::new();
    for stage in stages {
        let seconds = stage.record.as_ref().map_or(0.0, |record| record.provenance.seconds);
        let next = nodes.len();
        match *at.entry(stage.group()).or_insert(next) {
            known if known < next => {
                let node = &mut nodes[known];
                let rank = |state: StageState| WORST.iter().position(|known| *known == state);
                if rank(stage.state) < rank(node.state) {
                    node.state = stage.state;
                }
                (node.count, node.seconds) = (node.count + 1, node.seconds + seconds);
            }
            _ => nodes.push(Node { name: stage.group(), count: 1, state: stage.state, seconds }),
        }
    }
    nodes
}

impl Node<'_> {
    fn title(&self) -> String {
        if self.count > 1 { format!("{} ×{}", self.name, self.count) } else { self.name.to_owned() }
    }

    fn told(&self) -> String {
        let seconds = human_seconds(self.seconds);
        if self.state.is_done() { format!("{}, {seconds}", self.state) } else { self.state.to_string() }
    }

    fn width(&self) -> f64 {
        let letters = width(&self.title()).max(width(&self.told()));
        letters as f64 * LETTER + 2.0 * MARGIN
    }
}

/// Centre of each box, and width and height of the drawing. Unconnected parts of the graph are side by side.
fn places(nodes: &[Node], edges: &[(u32, u32)]) -> (Vec<(f64, f64)>, f64, f64) {
    let vertices: Vec<(u32, (f64, f64))> =
        (0..).zip(nodes.iter().map(|node| (node.width(), HEIGHT))).collect();
    // Stages that can run first are at the top. If long edges had columns of their own, the drawing would be
    // three times as wide.
    let config = Config {
        vertex_spacing: 1.5 * MARGIN,
        ranking_type: RankingType::Up,
        dummy_vertices: false,
        ..Config::default()
    };
    let mut places = vec![(0.0, 0.0); nodes.len()];
    let (mut left, mut height) = (MARGIN, 0.0_f64);
    for (layout, ..) in from_vertices_and_edges(&vertices, edges, &config) {
        let edge = |side: f64| {
            layout.iter().map(move |(node, (x, _))| side * (x + side * nodes[*node].width() / 2.0))
        };
        let (most, least) = (edge(1.0).fold(f64::MIN, f64::max), -edge(-1.0).fold(f64::MIN, f64::max));
        let top = layout.iter().map(|(_, (_, y))| *y).fold(f64::MAX, f64::min);
        for (node, (x, y)) in &layout {
            places[*node] = (x - least + left, y - top + HEIGHT / 2.0 + MARGIN);
            height = height.max(places[*node].1);
        }
        left += most - least + 2.0 * MARGIN;
    }
    (places, left.round(), (height + HEIGHT / 2.0 + MARGIN).round())
}

/// Path from the bottom of a box to the top of a box below it.
fn curve((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    let (from, to) = (y1 + HEIGHT / 2.0, y2 - HEIGHT / 2.0);
    let bend = ((to - from) / 2.0).max(MARGIN);
    format!("M{x1:.1} {from:.1}C{x1:.1} {:.1} {x2:.1} {:.1} {x2:.1} {to:.1}", from + bend, to - bend)
}
