//! Files that are the code of a stage: a change of one of them invalidates the stage's results.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};
use toml::Spanned;

use super::origin::Origin;
use crate::trace;

/// Pattern that stands for the files that are code by default.
const DEFAULT: &str = "**";
/// Folders whose contents programs write by themselves.
const CACHES: [&str; 4] = ["__pycache__", "node_modules", "target", "venv"];

/// Returns the code of the stage in `folder`: names relative to the folder, and paths. `patterns` are the stage's
/// `files`; without them the code is [`DEFAULT`].
///
/// # Errors
/// Returns an error if a pattern is malformed, leaves the project or matches no file, or a folder cannot be read.
pub(super) fn code_files(
    project: &Path,
    folder: &Path,
    patterns: Option<&[Spanned<String>]>,
    origin: impl Fn(&Spanned<String>) -> Origin,
) -> Result<Vec<(String, PathBuf)>> {
    let mut files = BTreeMap::new();
    let Some(patterns) = patterns else {
        add_default(folder, folder, &mut files)?;
        return Ok(files.into_iter().collect());
    };
    for pattern in patterns {
        if pattern.get_ref() == DEFAULT {
            add_default(folder, folder, &mut files)?;
        } else {
            add_matches(project, folder, pattern, &origin(pattern), &mut files)?;
        }
    }
    Ok(files.into_iter().collect())
}

/// Adds the files below `open` that are code by default: all except stage.toml, README*, tests/, test_*, hidden
/// files and caches.
fn add_default(folder: &Path, open: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries = match trace::read_dir(open) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.io_context("cannot list", open)?,
    };
    for entry in entries {
        let path = entry.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.')
            || is_cache(&relative(folder, &path))
            || ["README", "test_"].iter().any(|n| name.starts_with(n))
        {
            continue;
        }
        // The listing has the kinds of all entries, but not of the targets of links.
        let kind = entry.file_type().io_context("cannot read", &path)?;
        let link = kind.is_symlink();
        if (kind.is_dir() || link && trace::is_dir(&path)) && name != "tests" {
            // A link may lead to a folder above, where the search began.
            let real = |path: &Path| trace::canonicalize(path).io_context("cannot read", path);
            if !link || !real(open)?.starts_with(real(&path)?) {
                add_default(folder, &path, files)?;
            }
        } else if (kind.is_file() || link && trace::is_file(&path))
            && !(open == folder && name == "stage.toml")
        {
            files.insert(relative(folder, &path), path);
        }
    }
    Ok(())
}

/// Adds the files that a pattern matches. Hidden files must be named, and caches are left out.
fn add_matches(
    project: &Path,
    folder: &Path,
    pattern: &Spanned<String>,
    origin: &Origin,
    files: &mut BTreeMap<String, PathBuf>,
) -> Result<()> {
    let text = pattern.get_ref();
    let wrong =
        |message: String, help: &str| Err(origin.declaration_error(message, "this pattern", help.into()));
    let depth = folder.strip_prefix(project).map_or(0, |below| below.components().count());
    let ups = Path::new(text).components().filter(|part| *part == Component::ParentDir).count();
    if Path::new(text).is_absolute() || ups > depth {
        return wrong(
            format!("files `{text}` is outside the project"),
            "name a path relative to the stage's folder",
        );
    }
    // A final `**` matches only folders in the crate glob.
    let text_of_files = if text.ends_with("**") { format!("{text}/*") } else { text.clone() };
    let rooted = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(text_of_files);
    let paths = match trace::glob(&rooted.to_string_lossy()) {
        Ok(paths) => paths,
        Err(error) => {
            return wrong(
                format!("files `{text}` is not a valid pattern: {}", error.msg),
                "correct the pattern; its wildcards are `*`, `?`, `**` and [abc]",
            );
        }
    };
    let mut any = false;
    for path in paths {
        let path = path.map_err(|e| (e.path().to_owned(), io::Error::from(e)));
        let path = path.or_else(|(path, error)| Err(error).io_context("cannot list", path))?;
        if trace::is_file(&path) && !is_cache(&relative(folder, &path)) {
            any = true;
            files.insert(relative(folder, &path), path);
        }
    }
    if any {
        Ok(())
    } else {
        wrong(format!("files `{text}` matches no file"), "write a pattern relative to the stage's folder")
    }
}

/// Returns true if the file is below a folder of a cache, or compiled Python.
fn is_cache(name: &str) -> bool {
    let path = Path::new(name);
    path.components().any(|part| CACHES.iter().any(|cache| part.as_os_str() == *cache))
        || path.extension().is_some_and(|extension| extension == "pyc")
}

/// Name of a file relative to the stage's folder, e.g. `helper.py` or `../shared/helper.py`.
fn relative(folder: &Path, path: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    below.to_string_lossy().into_owned()
}
