//! `callsheet weights`: list of weight files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_worker::print::{print_json_list, print_text};
use clap::Args;
use rayon::prelude::*;
use serde::Serialize;

use super::project::data_folder;
use crate::lib::nn::file;
use crate::lib::nn::vgg::{Convention, Origin};
use crate::lib::weights::{Format, known, sha256};

/// List weight files: source, checksum, and the input format of their networks
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet weights                    # all files in data/weights\n  \
    callsheet weights mine.pth --json    # one file, as JSON")]
pub(super) struct Weights {
    /// Weight files [default: all in data/weights]
    files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    file: String,
    bytes: u64,
    format: &'static str,
    sha256: String,
    /// Channel order and scaling of the network's input.
    convention: &'static str,
    source: String,
}

impl Line {
    fn of_error(file: String, error: &anyhow::Error) -> Self {
        let source = format!("{error:#}");
        Self { file, bytes: 0, format: "unreadable", sha256: String::new(), convention: "", source }
    }
}

impl Weights {
    /// # Errors
    /// Returns an error if no file is named and the command was not started in a project.
    pub(super) fn execute(&self) -> Result<u8> {
        let mut files = self.files.clone();
        let mut folder = PathBuf::new();
        if files.is_empty() {
            folder = data_folder()?.join("weights");
            collect(&folder, &mut files);
        }
        let shown = |path: &PathBuf| path.strip_prefix(&folder).unwrap_or(path).display().to_string();
        let of = |path: &PathBuf| {
            line(path, shown(path)).unwrap_or_else(|error| Line::of_error(shown(path), &error))
        };
        let lines: Vec<Line> = files.par_iter().map(of).collect();
        if self.json {
            print_json_list("files", &lines);
            return Ok(0);
        }
        if lines.is_empty() {
            print_text(&format!("there are no weights in `{}`: run `make setup`", folder.display()));
        }
        for Line { file, bytes, format, sha256, convention, source } in lines {
            let size = bytes as f64 / 1e6;
            print_text(&format!("{file}\n  {source}\n  {format}, {size:.1} MB, SHA-256 {sha256}"));
            if !convention.is_empty() {
                print_text(&format!("  input: {convention}"));
            }
        }
        Ok(0)
    }
}

/// Adds the files below a folder, sorted by name; none if the folder does not exist.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        // A link to a folder may lead back here.
        if path.is_dir() {
            if !path.is_symlink() {
                collect(&path, files);
            }
        } else if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            files.push(path);
        }
    }
}

fn line(path: &Path, file: String) -> Result<Line> {
    let format = Format::of(path)?;
    let bytes = fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?.len();
    let sha256 = sha256(path)?;
    let published = known(&sha256).map(|known| (known.source.to_owned(), known.convention));
    let (source, convention) = match (published, format) {
        (Some(published), _) => published,
        (None, Some(Format::Safetensors)) => match file::config(path) {
            Ok(config) => match serde_json::from_value::<Origin>(config) {
                Ok(origin) => (origin.source, Some(origin.convention)),
                Err(_) => ("source not recorded in the file".to_owned(), None),
            },
            Err(error) => (format!("{error:#}"), None),
        },
        (None, Some(_)) => ("not a known published file".to_owned(), None),
        (None, None) => ("not a weight file".to_owned(), None),
    };
    let convention = match convention {
        Some(Convention::Caffe) => "BGR in 0..255, minus (103.939, 116.779, 123.68)",
        Some(Convention::Torchvision) => {
            "RGB in 0..1, minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)"
        }
        None => "",
    };
    Ok(Line { file, bytes, format: format.map_or("unknown", Format::name), sha256, convention, source })
}
