//! Content of a file or a folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use callsheet_worker::error::{IoContext, Result};
use maud::{Markup, html};

use crate::artifact::Artifact;
use crate::image_type::image_type;

/// Number of bytes of a text that are shown.
const TEXT_BYTES: u64 = 64 << 10;

/// Largest number of files of a folder that are listed.
const FILES: usize = 500;

pub(super) fn file(artifact: &Artifact) -> Result<Markup> {
    let path: &Path = &artifact.path;
    if path.is_dir() {
        return folder(path);
    }
    let mut start = Vec::new();
    let file = File::open(path).io_context("cannot open", path)?;
    file.take(TEXT_BYTES).read_to_end(&mut start).io_context("cannot read", path)?;
    if image_type(&start).is_some() {
        let address = format!("{}?v={}", artifact.address(&["file"]), artifact.version());
        return Ok(html! { p { a href=(address) { img src=(address) alt=(artifact.name()); } } });
    }
    // A character at the end may be cut.
    let text = match std::str::from_utf8(&start) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    Ok(match text.filter(|text| !text.contains('\0')) {
        Some(text) => html! {
            @if artifact.object.size > TEXT_BYTES { p.note { "The beginning of the file." } }
            pre tabindex="0" aria-label="Content" { (text) }
        },
        None => html! { p { "The file is neither a text nor a picture that browsers show." } },
    })
}

/// Names and sizes of the files in a folder.
fn folder(path: &Path) -> Result<Markup> {
    let entries = fs::read_dir(path).io_context("cannot list", path)?.flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(html! {
        ul { @for name in names.iter().take(FILES) { li { (name) } } }
        @if names.len() > FILES { p.note { "and " (names.len() - FILES) " more" } }
    })
}
