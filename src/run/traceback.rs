//! Lines of the project's own files in a traceback of Python, which otherwise end in a library.

use std::fs;
use std::path::Path;

use anstream::adapter::strip_str;
use callsheet_worker::print::plain;

/// Number of entries that are shown, the innermost ones.
const MOST: usize = 5;

/// Returns the entries of the last traceback in a log that belong to files in `root` but not in a virtual environment, with
/// their code. Returns none if there is none, or if all entries are of the project: the end of the log shows them.
pub(super) fn own_lines(log: &Path, root: &Path) -> Option<String> {
    let bytes = fs::read(log).unwrap_or_default();
    let text = strip_str(&String::from_utf8_lossy(&bytes)).to_string();
    let begin = text.rfind("Traceback (most recent call last):")?;
    let lines: Vec<&str> = text[begin..].lines().collect();
    let entries: Vec<(usize, &str, &str)> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| entry(line).map(|(file, rest)| (at, file, rest)))
        .collect();
    let own: Vec<&(usize, &str, &str)> = entries.iter().filter(|(_, file, _)| is_own(file, root)).collect();
    // The end of the log shows these lines already.
    if own.is_empty() || own.len() == entries.len() {
        return None;
    }
    let show = |(at, file, rest): &&(usize, &str, &str)| {
        let file = Path::new(file);
        let file = file.strip_prefix(root).unwrap_or(file).display();
        let code = lines.get(at + 1).filter(|line| entry(line).is_none()).map_or("", |line| line.trim());
        plain(&format!("{file}:{rest}: {code}"))
    };
    let shown: Vec<String> = own[own.len().saturating_sub(MOST)..].iter().map(show).collect();
    Some(shown.join("\n"))
}

/// Returns file and line number of a line such as `  File "a.py", line 3, in f`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    Some((file, rest.split(',').next().unwrap_or(rest)))
}

fn is_own(file: &str, root: &Path) -> bool {
    let path = Path::new(file);
    // Workers that run a script by a relative name stand in their stage's folder.
    let inside = path.is_relative() && !file.starts_with('<') || path.starts_with(root);
    let of_python = |name: &str| name == "site-packages" || name.starts_with("python3.");
    inside && !path.components().any(|part| of_python(&part.as_os_str().to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "loading\nTraceback (most recent call last):\n  File \"/p/stages/train/main.py\", line 12, in <module>\n    \
                       model.fit(rows)\n  File \"/p/.venv/lib/site-packages/lib/a.py\", line 3, in fit\n    self._fit()\n  \
                       File \"/usr/lib/lib/b.py\", line 99, in _fit\n    raise ValueError(\"x\")\nValueError: x\n";

    #[test]
    fn the_lines_of_the_project_are_found_in_a_traceback() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("a.log");
        let own = |text: &str| {
            fs::write(&log, text).expect("written");
            own_lines(&log, Path::new("/p"))
        };
        assert_eq!(own(LOG).as_deref(), Some("stages/train/main.py:12: model.fit(rows)"));
        assert_eq!(own("no traceback\n"), None);
        let only = "Traceback (most recent call last):\n  File \"/p/a.py\", line 1, in <module>\n    1 / 0\nZeroDivisionError\n";
        assert_eq!(own(only), None, "the end of the log shows it");
    }
}
