//! The key `store` of `callsheet.toml`, as `callsheet store` writes and removes it.

use std::fs;
use std::path::Path;

use callsheet_worker::error::{IoContext, Result};
use serde::Deserialize;
use toml::Spanned;

use super::project::FILE;

/// Writes `store` into the `callsheet.toml` of the project at `root`. Everything else in the file stays as it is.
///
/// # Errors
/// Returns an error if the file cannot be read or written.
pub fn write_store_key(root: &Path, store: &Path) -> Result<()> {
    change(root, |text| {
        // Keys of the project itself come before the first table; comments at the beginning are about the file.
        let lines = text.split_inclusive('\n');
        let comments = lines.take_while(|line| line.trim().is_empty() || line.starts_with('#'));
        let at: usize = comments.map(str::len).sum();
        let value = toml::Value::from(store.to_string_lossy().into_owned());
        let (before, after) = text.split_at(at);
        let break_line = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        format!("{before}{break_line}store = {value}\n{after}")
    })
}

/// Removes `store` from the `callsheet.toml` of the project at `root`. Returns false if the file does not have the key.
///
/// # Errors
/// Returns an error if the file cannot be read or written.
pub fn remove_store_key(root: &Path) -> Result<bool> {
    #[derive(Deserialize)]
    struct Key {
        store: Option<Spanned<toml::Value>>,
    }
    let mut found = false;
    change(root, |text| {
        let key = toml::from_str::<Key>(text).ok().and_then(|key| key.store);
        let Some(span) = key.map(|key| key.span()) else { return text.to_owned() };
        found = true;
        let begin = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
        let end = text[span.end..].find('\n').map_or(text.len(), |end| span.end + end + 1);
        format!("{}{}", &text[..begin], &text[end..])
    })?;
    Ok(found)
}

fn change(root: &Path, change: impl FnOnce(&str) -> String) -> Result<()> {
    let path = root.join(FILE);
    let text = fs::read_to_string(&path).io_context("cannot read", &path)?;
    let changed = change(&text);
    if changed == text { Ok(()) } else { fs::write(&path, changed).io_context("cannot write", path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_added_before_all_tables_and_its_removal_restores_the_file() {
        for text in [
            "",
            "# A project\n\n[defaults]\npipeline = \"main\"\n",
            "data = \"x\" # here\n",
            "#no line break",
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join(FILE);
            fs::write(&path, text).expect("written");
            write_store_key(folder.path(), Path::new("/a \"b\"")).expect("written");
            let added = fs::read_to_string(&path).expect("read");
            let store = toml::from_str::<toml::Table>(&added).expect("TOML").get("store").cloned();
            assert_eq!(store, Some("/a \"b\"".into()), "{added}");
            assert!(remove_store_key(folder.path()).expect("removed"));
            assert_eq!(fs::read_to_string(&path).expect("read").trim_end(), text.trim_end());
            assert!(!remove_store_key(folder.path()).expect("nothing to do"));
        }
    }
}
