//! New files of a project: a command writes either all of them or none.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::print::print_text;
use glob::{Pattern, glob};

/// Writes files that do not exist yet below `root`, and prints their paths.
///
/// # Errors
/// Returns an error if a file cannot be written; the files written before it are removed again.
pub(super) fn write_all(root: &Path, files: &[(PathBuf, String)]) -> Result<()> {
    for (position, (path, text)) in files.iter().enumerate() {
        if let Err(error) = write(&root.join(path), text) {
            for (written, _) in &files[..=position] {
                let written = root.join(written);
                let _ = fs::remove_file(&written);
                // `remove_dir` removes only empty folders.
                let _ = written.parent().map(fs::remove_dir);
            }
            return Err(error);
        }
    }
    files.iter().for_each(|(path, _)| print_text(&format!("wrote {}", path.display())));
    Ok(())
}

/// Returns true if this program belongs to a Python package: a folder of packages next to its own has the package.
pub(super) fn is_python_package() -> bool {
    let Ok(engine) = env::current_exe() else { return false };
    let Some(prefix) = engine.parent().and_then(Path::parent) else { return false };
    let prefix = Pattern::escape(&prefix.to_string_lossy());
    let found = glob(&format!("{prefix}/lib/python3*/*-packages/callsheet/__init__.py"));
    found.is_ok_and(|mut paths| paths.any(|path| path.is_ok()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).io_context("cannot create", folder)?;
    fs::write(path, text).io_context("cannot write", path)
}
