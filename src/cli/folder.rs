//! The option `-C`: the folder in which a command works.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use callsheet_worker::error::{ENTER, IoContext, Result};

/// Enters the folder that the first of the arguments `words` name. Returns the arguments after it.
///
/// # Errors
/// Returns an error if the folder cannot be entered.
pub(super) fn enter_folder(mut words: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some(first) = words.first().map(|word| word.to_string_lossy().into_owned()) else { return Ok(words) };
    let attached = first.strip_prefix("-C").or_else(|| first.strip_prefix("--directory="));
    let (folder, count) = match attached {
        // As in clap, `-C=folder` names the same folder as `-Cfolder`.
        Some(folder) if !folder.is_empty() => {
            let folder =
                if first.starts_with("-C") { folder.strip_prefix('=').unwrap_or(folder) } else { folder };
            (PathBuf::from(folder), 1)
        }
        _ if ["-C", "--directory"].contains(&first.as_str()) && words.len() > 1 => {
            (PathBuf::from(&words[1]), 2)
        }
        _ => return Ok(words),
    };
    env::set_current_dir(&folder).io_context(ENTER, &folder)?;
    Ok(words.split_off(count))
}
