//! Graphs in the format of Mermaid.

use super::drawing::Drawing;

/// Writes a drawing as a Mermaid flowchart from top to bottom.
pub(super) fn write(drawing: &Drawing) -> String {
    let mut text = "flowchart TD\n".to_owned();
    for (id, node) in drawing.nodes.iter().enumerate() {
        let (open, close) = if node.source { ("([", "])") } else { ("[", "]") };
        text += &format!("  n{id}{open}\"{}\"{close}\n", escaped(&node.label));
    }
    for (from, what, to) in &drawing.edges {
        let label = if what.is_empty() { String::new() } else { format!("|\"{}\"|", escaped(what)) };
        text += &format!("  n{from} -->{label} n{to}\n");
    }
    text
}

/// Returns a text for a label in quotes. Mermaid reads other characters as HTML, Markdown or directives, so they
/// become entities.
fn escaped(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-.@+×% ".contains(c);
    let entity = |c: char| if plain(c) { c.to_string() } else { format!("#{};", u32::from(c)) };
    text.chars().map(entity).collect()
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Node;
    use super::*;

    #[test]
    fn names_are_labels_and_never_ids() {
        let node = |label: &str, source| Node { label: label.to_owned(), source };
        let nodes = vec![node("end", false), node("a\"b#<c>`", true), node("alone", false)];
        let text = write(&Drawing { nodes, edges: vec![(1, String::new(), 0), (0, "end".into(), 0)] });
        assert_eq!(
            text,
            "flowchart TD\n  n0[\"end\"]\n  n1([\"a#34;b#35;#60;c#62;#96;\"])\n  n2[\"alone\"]\n  n1 --> n0\n  n0 -->|\"end\"| n0\n"
        );
    }
}
