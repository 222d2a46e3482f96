//! Sources: raw files matched by a pattern.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};
use toml::Spanned;

use crate::declare::Origin;

/// Returns the files below `root` that match `pattern`, sorted and relative to `root`, and the folder that
/// they share.
///
/// # Errors
/// Returns an error if the pattern is malformed or leaves the project, or a folder cannot be read.
pub fn files(root: &Path, pattern: &Spanned<String>, origin: &Origin) -> Result<(Vec<PathBuf>, PathBuf)> {
    Ok((matches(root, pattern, origin)?, base(pattern.get_ref())))
}

/// Returns the files below `root` that match `pattern`, sorted and relative to `root`.
///
/// # Errors
/// Returns an error if the pattern is malformed or leaves the project, or a folder cannot be read.
pub(super) fn matches(root: &Path, pattern: &Spanned<String>, origin: &Origin) -> Result<Vec<PathBuf>> {
    let text = pattern.get_ref();
    let plain = |c: Component| matches!(c, Component::Normal(_));
    if text.contains('\0') || !Path::new(text).components().all(plain) {
        return Err(origin.declaration_error(
            format!("source path `{text}` leaves the project"),
            "this path",
            "use a path below the project's folder, e.g. data/raw/mine/*.mp4 (a link there may point outside)"
                .into(),
        ));
    }
    if !text.contains(SPECIAL) {
        return Ok(if file(&root.join(text))? { vec![text.into()] } else { Vec::new() });
    }
    if !well_braced(text) {
        return Err(origin.declaration_error(
            format!("source path `{text}` is not a valid pattern: braces are unclosed or nested"),
            "this pattern",
            "write alternatives as {a,b}, without braces inside".into(),
        ));
    }
    // Cameras write .JPG and .MP4, so patterns ignore case.
    let options = glob::MatchOptions { case_sensitive: false, ..glob::MatchOptions::new() };
    let root_pattern = Path::new(&glob::Pattern::escape(&root.to_string_lossy())).to_owned();
    let mut files = Vec::new();
    for pattern in alternatives(text) {
        let paths =
            glob::glob_with(&root_pattern.join(pattern).to_string_lossy(), options).map_err(|error| {
                let message = format!("source path `{text}` is not a valid pattern: {}", error.msg);
                origin.declaration_error(
                    message,
                    "this pattern",
                    "correct it: `*`, `?`, `**`, [abc] and {a,b} are special".into(),
                )
            })?;
        for path in paths {
            let path = path.map_err(|e| (e.path().to_owned(), io::Error::from(e)));
            let path = path.or_else(|(path, error)| Err(error).io_context("cannot list", path))?;
            if file(&path)? {
                files.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    // Names that are not UTF-8 match no pattern, so their files would be ignored silently.
    let names = fs::read_dir(root.join(base(text))).into_iter().flatten().flatten();
    if let Some(name) = names.map(|entry| entry.file_name()).find(|name| name.to_str().is_none()) {
        let message = format!("the name of `{}` is not UTF-8", base(text).join(name).display());
        return Err(origin.declaration_error(message, "in this source", "rename the file".into()));
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Characters that make a path a pattern.
const SPECIAL: [char; 4] = ['*', '?', '[', '{'];

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
    match fs::metadata(path) {
        Ok(found) => Ok(found.is_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(false),
        Err(error) => Err(error).io_context("cannot read", path),
    }
}

/// Returns the folder that a pattern's matches share: the part before its first special character.
pub(super) fn base(pattern: &str) -> PathBuf {
    let plain = |part: &Component| !part.as_os_str().to_string_lossy().contains(SPECIAL);
    let parts: Vec<Component> = Path::new(pattern).components().collect();
    parts[..parts.len().saturating_sub(1)].iter().take_while(|part| plain(part)).collect()
}

/// Returns an entry of the folder that a pattern's matches share, for a pattern that nothing matches. Hidden
/// files and notes (`.md`, `.txt`) are ignored.
pub(super) fn stranger(root: &Path, pattern: &str) -> Option<PathBuf> {
    let folder = base(pattern);
    let entries = fs::read_dir(root.join(&folder)).ok()?.flatten();
    let mut names: Vec<PathBuf> = entries.map(|entry| folder.join(entry.file_name())).collect();
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
        assert_eq!(base("data/raw/{a,b}/*.mp4"), Path::new("data/raw"));
    }

    #[test]
    fn braces_hold_alternatives() {
        assert_eq!(alternatives("a.{x,y}"), ["a.x", "a.y"]);
        assert_eq!(alternatives("{a,b}/{1,2}"), ["a/1", "a/2", "b/1", "b/2"]);
        assert!(well_braced("{a,b}/*.{x,y}") && !well_braced("a.{x") && !well_braced("{a,{b,c}}"));
    }
}
