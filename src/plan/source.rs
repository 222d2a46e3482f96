//! Sources: raw files matched by a pattern.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};
use toml::Spanned;

use super::walk::walk;
use crate::declare::{Origin, Project};
use crate::trace;

/// Returns the files that `pattern` matches below the project's folder, sorted and relative to it, and the folder that
/// they share.
///
/// # Errors
/// Returns an error if the pattern is malformed, leaves the project, names a folder or matches results, or if a folder
/// cannot be read.
pub fn files(
    project: &Project,
    results: &mut Results,
    pattern: &Spanned<String>,
    origin: &Origin,
) -> Result<(Vec<PathBuf>, PathBuf)> {
    Ok((matches(project, results, pattern, origin)?, base(pattern.get_ref())))
}

/// Returns the files that `pattern` matches, as [`files`] does.
///
/// # Errors
/// Returns an error if [`files`] does.
pub(super) fn matches(
    project: &Project,
    results: &mut Results,
    pattern: &Spanned<String>,
    origin: &Origin,
) -> Result<Vec<PathBuf>> {
    let wrong = |message: String, help: &str| {
        Err(origin.declaration_error(format!("source path {message}"), "this path", help.to_owned()))
    };
    let (root, text) = (&project.root, pattern.get_ref());
    let plain = |c: Component| matches!(c, Component::Normal(_) | Component::CurDir);
    if text.contains('\0') {
        return wrong(format!("`{text}` contains a NUL character"), "remove the character");
    }
    if text.contains(DATASET) {
        return Ok(Vec::new());
    }
    if !Path::new(text).components().all(plain) {
        return wrong(
            format!("`{text}` is outside the project"),
            "use a path inside the project, e.g. data/raw/mine/*.mp4; links inside may lead elsewhere",
        );
    }
    if !text.contains(SPECIAL) {
        let path = normal(text);
        if trace::is_dir(&root.join(&path)) {
            let folder = path.display();
            let help = format!("write `{folder}/*` for its files, or `{folder}/**/*` for all files below it");
            return wrong(format!("`{text}` is a folder"), &help);
        }
        let files = if file(&root.join(&path))? { vec![path.clone()] } else { Vec::new() };
        return match results.problem(root, &[path]) {
            Some(own) => wrong(own, NOT_RAW),
            None => Ok(files),
        };
    }
    if !well_braced(text) {
        return wrong(
            format!("`{text}` is not a valid pattern: braces are unclosed or nested"),
            "use {a,b} with simple alternatives",
        );
    }
    let mut patterns = Vec::new();
    for text in alternatives(&normal(text).to_string_lossy()) {
        match glob::Pattern::new(&text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                return wrong(
                    format!("`{text}` is not a valid pattern: {}", error.msg),
                    "correct the pattern; its wildcards are `*`, `?`, `**`, [abc] and {a,b}",
                );
            }
        }
    }
    let files = found(project, text, &patterns)?;
    if let Some(own) = results.problem(root, &files) {
        return wrong(own, NOT_RAW);
    }
    if files.is_empty() && looks_literal(root, text) {
        return wrong(
            format!("`{text}` matches no file, although a path with this name exists"),
            "write `[[]` for `[`, `[*]` for `*` and `[?]` for `?`; braces cannot be part of a name",
        );
    }
    Ok(files)
}

/// Returns the files that one of the patterns matches, as a shell would: hidden files only if the pattern names them.
fn found(project: &Project, text: &str, patterns: &[glob::Pattern]) -> Result<Vec<PathBuf>> {
    let options = glob::MatchOptions {
        // Cameras write .JPG and .MP4.
        case_sensitive: false,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let base = base(text);
    let parts = |pattern: &glob::Pattern| Path::new(pattern.as_str()).components().count();
    let deepest =
        patterns.iter().map(parts).max().unwrap_or_default().saturating_sub(base.components().count());
    let depth = if text.contains("**") { usize::MAX } else { deepest };
    let hidden = patterns.iter().any(|pattern| pattern.as_str().split('/').any(|part| part.starts_with('.')));
    let matched = |file: &PathBuf| patterns.iter().any(|pattern| pattern.matches_path_with(file, options));
    let mut found = walk(&project.root, &base, depth, hidden)?;
    if let Some(link) = found.dangling.iter().find(|link| matched(link)) {
        let path = project.root.join(link);
        let missing = io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error());
        return Err(missing).io_context("cannot read the target of", path);
    }
    found.files.retain(matched);
    found.files.sort();
    Ok(found.files)
}

/// Remedy for a source that matches results.
const NOT_RAW: &str = "use a path that matches only raw files, e.g. below data/raw";

/// Folders of a project's results, among which no source may be, also not behind a link. The real path of a folder is
/// resolved once, because sources share folders.
pub struct Results {
    own: [PathBuf; 2],
    known: BTreeMap<PathBuf, bool>,
}

impl Results {
    /// Returns the folders of the results of `project`.
    pub fn new(project: &Project) -> Self {
        let own = ["out", "store"].map(|folder| real(&project.data.join(folder)));
        Self { own, known: BTreeMap::new() }
    }

    /// Returns what is wrong if one of `files`, relative to `root`, is a result.
    fn problem(&mut self, root: &Path, files: &[PathBuf]) -> Option<String> {
        let found = files.iter().find(|file| self.contain(&root.join(file.parent().unwrap_or(file))))?;
        Some(format!("matches {}, which is in a folder of results", found.display()))
    }

    fn contain(&mut self, folder: &Path) -> bool {
        if let Some(known) = self.known.get(folder) {
            return *known;
        }
        let real = real(folder);
        let contained = self.own.iter().any(|own| real.starts_with(own));
        self.known.insert(folder.to_owned(), contained);
        contained
    }
}

fn real(path: &Path) -> PathBuf {
    trace::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns true if a part of the pattern is the name of something that exists, and contains a special character.
fn looks_literal(root: &Path, text: &str) -> bool {
    let path = normal(text);
    let special =
        |path: &&Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(SPECIAL));
    path.ancestors().filter(special).any(|path| trace::exists(&root.join(path)))
}

/// Part of a source's path that stands for the name of the dataset. Without a dataset, no file matches such a path.
pub const DATASET: &str = "{dataset}";

/// Characters that make a path a pattern.
const SPECIAL: [char; 4] = ['*', '?', '[', '{'];

/// Returns true if a path of a source is the path of a file, not a pattern.
pub fn is_one_file(path: &str) -> bool {
    !path.contains(SPECIAL)
}

/// Returns the path without `.`.
fn normal(text: &str) -> PathBuf {
    Path::new(text).components().filter(|part| *part != Component::CurDir).collect()
}

/// Returns true if every brace is closed before the next one opens.
fn well_braced(pattern: &str) -> bool {
    let braces = pattern.chars().filter(|c| ['{', '}'].contains(c));
    braces.collect::<Vec<char>>().chunks(2).all(|pair| pair == ['{', '}'])
}

/// Returns the patterns for which a pattern with braces stands: `a.x` and `a.y` for `a.{x,y}`.
fn alternatives(pattern: &str) -> Vec<String> {
    let group = pattern.find('{').and_then(|open| Some((open, open + pattern[open..].find('}')?)));
    let Some((open, close)) = group else { return vec![pattern.to_owned()] };
    let (before, after) = (&pattern[..open], &pattern[close + 1..]);
    let each = pattern[open + 1..close].split(',');
    each.flat_map(|choice| alternatives(&format!("{before}{choice}{after}"))).collect()
}

/// Returns true if `path` is a file; a dangling link is an error.
fn file(path: &Path) -> Result<bool> {
    match trace::file_kind(path) {
        Ok(found) => Ok(found.is_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && trace::symlink_metadata(path).is_err() => {
            Ok(false)
        }
        Err(error) => Err(error).io_context("cannot read", path),
    }
}

/// Returns the folder that a pattern's matches share: the part before its first special character.
pub(super) fn base(pattern: &str) -> PathBuf {
    let plain = |part: &Component| !part.as_os_str().to_string_lossy().contains(SPECIAL);
    let normal = normal(pattern);
    let parts: Vec<Component> = normal.components().collect();
    parts[..parts.len().saturating_sub(1)].iter().take_while(|part| plain(part)).collect()
}

/// Returns an entry of the folder that a pattern's matches share, for a pattern that nothing matches. Hidden
/// files and notes (`.md`, `.txt`) are ignored.
pub(super) fn stranger(root: &Path, pattern: &str) -> Option<PathBuf> {
    let folder = base(pattern);
    let entries = trace::read_dir(&root.join(&folder)).ok()?;
    let mut names: Vec<PathBuf> = entries.iter().map(|entry| folder.join(entry.file_name())).collect();
    names.sort();
    names.into_iter().find(|name| {
        let shown = name.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        !shown.starts_with('.') && !shown.ends_with(".md") && !shown.ends_with(".txt")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_of_a_pattern_ends_before_its_first_special_character() {
        assert_eq!(base("data/raw/a/*.mp4"), Path::new("data/raw/a"));
        assert_eq!(base("data/raw/*/x/*.mp4"), Path::new("data/raw"));
        assert_eq!(base("data/raw/one.mp4"), Path::new("data/raw"));
        assert_eq!(base("./data/raw/./*.mp4"), Path::new("data/raw"));
        assert_eq!(base("data/raw/{a,b}/*.mp4"), Path::new("data/raw"));
    }

    #[test]
    fn braces_hold_alternatives() {
        assert_eq!(alternatives("a.{x,y}"), ["a.x", "a.y"]);
        assert_eq!(alternatives("{a,b}/{1,2}"), ["a/1", "a/2", "b/1", "b/2"]);
        assert!(well_braced("{a,b}/*.{x,y}") && !well_braced("a.{x") && !well_braced("{a,{b,c}}"));
    }
}
