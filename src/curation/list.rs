//! Verdicts in the order of their file, found by the keys of their rows.

use std::collections::HashMap;

use callsheet_worker::curation::Line;

/// Verdicts in the order of their file, at most one on each row.
#[derive(Debug, Default)]
pub struct VerdictList {
    /// Lines of the file; none where a verdict was removed.
    lines: Vec<Option<Line>>,
    /// Position in `lines` by key.
    at: HashMap<String, usize>,
}

impl VerdictList {
    /// Creates the list from the lines of a file, which have different keys.
    pub fn new(lines: Vec<Line>) -> Self {
        let at = lines.iter().enumerate().map(|(at, line)| (line.key.clone(), at)).collect();
        Self { lines: lines.into_iter().map(Some).collect(), at }
    }

    /// Returns the verdict on the row `key`.
    pub fn get(&self, key: &str) -> Option<&Line> {
        self.lines[*self.at.get(key)?].as_ref()
    }

    /// Sets the verdict on a row. It replaces the earlier verdict on the row, in the same line of the file.
    pub fn set(&mut self, line: Line) {
        match self.at.get(&line.key) {
            Some(at) => self.lines[*at] = Some(line),
            None => {
                self.at.insert(line.key.clone(), self.lines.len());
                self.lines.push(Some(line));
            }
        }
    }

    /// Removes the verdict on the row `key`, if there is one.
    pub fn remove(&mut self, key: &str) {
        if let Some(at) = self.at.get(key) {
            self.lines[*at] = None;
        }
    }

    /// Returns the lines in the order of the file.
    pub fn into_lines(self) -> Vec<Line> {
        self.lines.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use callsheet_worker::curation::Verdict;

    use super::*;

    fn line(key: &str, reason: &str) -> Line {
        let (author, time) = ("a curator".into(), "2026-01-01".into());
        Line { key: key.into(), verdict: Verdict::Exclude, reason: reason.into(), author, time }
    }

    #[test]
    fn a_verdict_stays_in_its_line_until_it_is_removed() {
        let mut list = VerdictList::new(vec![line("a", "old"), line("b", "old")]);
        list.set(line("a", "new"));
        list.set(line("c", "new"));
        assert_eq!(list.get("a").map(|line| line.reason.as_str()), Some("new"));
        list.remove("b");
        list.remove("unknown");
        assert_eq!(list.get("b"), None);
        list.set(line("b", "newer"));
        assert_eq!(list.into_lines(), [line("a", "new"), line("b", "newer"), line("c", "new")]);
    }
}
