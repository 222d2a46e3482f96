//! Graphs in the DOT language of Graphviz.

use super::drawing::Drawing;

/// Writes a drawing as a directed graph.
pub(super) fn write(drawing: &Drawing) -> String {
    let mut text = "digraph pipeline {\n  node [shape=box];\n".to_owned();
    for (id, node) in drawing.nodes.iter().enumerate() {
        let shape = if node.source { ", shape=oval" } else { "" };
        text += &format!("  n{id} [label=\"{}\"{shape}];\n", escaped(&node.label));
    }
    for (from, what, to) in &drawing.edges {
        text += &format!("  n{from} -> n{to} [label=\"{}\"];\n", escaped(what));
    }
    text + "}\n"
}

/// Returns a text for a label in quotes. A backslash begins an escape, and `&` an HTML entity.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;")
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Node;
    use super::*;

    #[test]
    fn quotes_and_backslashes_stay_in_the_label() {
        let node = |label: &str, source| Node { label: label.to_owned(), source };
        let nodes = vec![node("a\"b\\", false), node("graph", true)];
        let text = write(&Drawing { nodes, edges: vec![(1, "x".into(), 0)] });
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "  n0 [label=\"a\\\"b\\\\\"];",
                "  n1 [label=\"graph\", shape=oval];",
                "  n1 -> n0 [label=\"x\"];",
                "}"
            ]
        );
    }
}
