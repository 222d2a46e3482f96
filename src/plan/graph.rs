//! Graph of stage instances: order, cycles, ancestors and descendants.

use std::collections::BTreeSet;

use petgraph::Direction;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

/// Stage instances by position in the pipeline file, with an edge from each producer to each of its
/// consumers.
pub(super) struct Graph(DiGraph<usize, ()>);

impl Graph {
    /// Creates a graph of `count` stage instances with `edges` as (producer, consumer).
    pub(super) fn new(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut graph = DiGraph::with_capacity(count, count);
        for position in 0..count {
            graph.add_node(position);
        }
        for (from, to) in edges {
            graph.update_edge(NodeIndex::new(from), NodeIndex::new(to), ());
        }
        Self(graph)
    }

    /// Returns the positions on one cycle, if there is a cycle.
    pub(super) fn cycle(&self) -> Option<Vec<usize>> {
        let on_cycle =
            |group: &Vec<NodeIndex>| group.len() > 1 || self.0.find_edge(group[0], group[0]).is_some();
        // Neither function recurses, so even a long chain of stages does not overflow the stack.
        toposort(&self.0, None).err()?;
        let group = kosaraju_scc(&self.0).into_iter().find(on_cycle)?;
        let mut positions: Vec<usize> = group.into_iter().map(NodeIndex::index).collect();
        positions.sort_unstable();
        Some(positions)
    }

    /// Returns `start` and everything that it depends on.
    pub(super) fn with_ancestors(&self, start: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        self.reach(start, Direction::Incoming)
    }

    /// Returns `start` and everything that depends on it.
    pub(super) fn with_descendants(&self, start: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        self.reach(start, Direction::Outgoing)
    }

    fn reach(&self, start: impl IntoIterator<Item = usize>, direction: Direction) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open: Vec<usize> = start.into_iter().collect();
        while let Some(position) = open.pop() {
            if found.insert(position) {
                let next = self.0.neighbors_directed(NodeIndex::new(position), direction);
                open.extend(next.map(NodeIndex::index));
            }
        }
        found
    }

    /// Returns the positions in `among`, each after its producers, otherwise in file order. The graph must
    /// not have a cycle.
    pub(super) fn order(&self, among: &BTreeSet<usize>) -> Vec<usize> {
        let mut order = Vec::with_capacity(among.len());
        let mut waiting: Vec<usize> = (0..self.0.node_count())
            .map(|p| self.producers(p).filter(|q| among.contains(q)).count())
            .collect();
        let mut ready: BTreeSet<usize> = among.iter().copied().filter(|p| waiting[*p] == 0).collect();
        while let Some(position) = ready.pop_first() {
            order.push(position);
            let node = NodeIndex::new(position);
            for next in self.0.neighbors_directed(node, Direction::Outgoing) {
                waiting[next.index()] -= 1;
                if waiting[next.index()] == 0 && among.contains(&next.index()) {
                    ready.insert(next.index());
                }
            }
        }
        order
    }

    fn producers(&self, position: usize) -> impl Iterator<Item = usize> {
        let node = NodeIndex::new(position);
        self.0.neighbors_directed(node, Direction::Incoming).map(NodeIndex::index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_follow_their_producers_and_otherwise_the_order_of_the_file() {
        let graph = Graph::new(4, [(3, 0), (3, 1), (1, 2)]);
        assert_eq!(graph.order(&(0..4).collect()), [3, 0, 1, 2]);
    }

    #[test]
    fn a_cycle_is_named_by_its_members() {
        assert_eq!(Graph::new(4, [(0, 1), (1, 2), (2, 1)]).cycle(), Some(vec![1, 2]));
        assert_eq!(Graph::new(2, [(1, 1)]).cycle(), Some(vec![1]));
        assert_eq!(Graph::new(3, [(0, 1), (0, 2), (1, 2)]).cycle(), None);
    }

    #[test]
    fn ancestors_and_descendants_include_the_start() {
        let graph = Graph::new(4, [(0, 1), (1, 2), (3, 2)]);
        assert_eq!(graph.with_ancestors([1]), [0, 1].into());
        assert_eq!(graph.with_descendants([1]), [1, 2].into());
    }
}
