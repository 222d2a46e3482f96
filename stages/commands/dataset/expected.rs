//! What a dataset's file says of its raw files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use callsheet::declare::{Layer, Origin, Project};
use callsheet::plan::files;
use serde::Deserialize;

use crate::worker::refusal;

/// The table `[metadata]` of a dataset's file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metadata {
    /// Width and height of a file's image in pixels.
    pub size: Option<[u32; 2]>,
    /// Files of each split.
    pub files: BTreeMap<String, usize>,
    /// Frames in all.
    pub frames: Option<usize>,
    /// Where it can be fetched.
    pub url: Option<String>,
    /// SHA-256 of what is fetched.
    pub sha256: Option<String>,
}

/// A dataset as its file says, and the raw files there are.
pub struct Raw {
    /// What it is, in one line.
    pub summary: String,
    /// How its files become pairs: `pairs`, `video` or another import.
    pub import: String,
    /// What is expected of the files.
    pub metadata: Metadata,
    /// Names below their own folder, and paths, in the order of the names.
    pub files: Vec<(String, PathBuf)>,
    /// Pattern of the files, and where a user gets them.
    pub patterns: Vec<(String, String)>,
    /// What takes their place if there are none.
    pub stand_in: Option<String>,
}

/// Reads a dataset's file and looks for its raw files.
///
/// # Errors
/// When there is no such dataset, or its file is malformed.
pub fn raw(project: &Project, name: &str) -> Result<Raw> {
    let layer: Layer = project.layer("dataset", "datasets", name)?;
    let metadata = toml::Value::Table(layer.metadata.clone()).try_into().map_err(|error| {
        refusal(
            format!("[metadata] of the dataset `{name}`: {error}"),
            "known: size = [width, height], files = { train = .. }, frames, url, sha256",
        )
    })?;
    let mut raw = Raw {
        summary: layer.summary.clone(),
        import: layer.import.as_ref().map(|import| import.get_ref().clone()).unwrap_or_default(),
        metadata,
        files: Vec::new(),
        patterns: Vec::new(),
        stand_in: None,
    };
    for source in layer.sources.values() {
        let Some(path) = &source.path else { continue };
        let pattern = path.get_ref().replace("{dataset}", name);
        let spanned = toml::Spanned::new(path.span(), pattern.clone());
        let origin = Origin::File(layer.source.clone(), path.span());
        let (found, base) = files(&project.root, &spanned, &origin)?;
        for file in found {
            let shown = file.strip_prefix(&base).unwrap_or(&file).to_string_lossy().into_owned();
            raw.files.push((shown, project.root.join(file)));
        }
        raw.patterns.push((pattern, source.obtain.clone().unwrap_or_default()));
        raw.stand_in = raw.stand_in.or_else(|| source.otherwise.as_ref().map(|other| other.label.clone()));
    }
    raw.files.sort();
    Ok(raw)
}
