//! Checkpoints in a stage's scratch folder: everything that the next step depends on.
//!
//! Random draws depend on seed and step alone (see `random`), so the step is all their state.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use tch::Tensor;

use super::file;

/// The last so many are kept.
const KEPT: usize = 2;

fn path(scratch: &Path, step: u64) -> PathBuf {
    scratch.join(format!("step-{step:09}.safetensors"))
}

fn steps(scratch: &Path) -> Result<Vec<u64>> {
    let mut steps = Vec::new();
    for entry in fs::read_dir(scratch).with_context(|| format!("cannot list {}", scratch.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix("step-").and_then(|n| n.strip_suffix(".safetensors"));
        steps.extend(number.and_then(|n| n.parse::<u64>().ok()));
    }
    steps.sort_unstable();
    Ok(steps)
}

/// Writes a checkpoint and drops old ones.
///
/// # Errors
/// When the disk is full; older checkpoints stay.
pub fn save(scratch: &Path, step: u64, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    file::save(&path(scratch, step), tensors, &json!({ "step": step }))?;
    let steps = steps(scratch)?;
    for old in &steps[..steps.len().saturating_sub(KEPT)] {
        let _ = fs::remove_file(path(scratch, *old));
    }
    Ok(())
}

/// The latest checkpoint at or before `stop` that can be read, with its step.
///
/// # Errors
/// When the scratch folder cannot be listed.
pub fn latest(scratch: &Path, stop: u64) -> Result<Option<(u64, BTreeMap<String, Tensor>)>> {
    for step in steps(scratch)?.into_iter().rev().filter(|step| *step <= stop) {
        if let Ok((tensors, _)) = file::load(&path(scratch, step)) {
            return Ok(Some((step, tensors)));
        }
    }
    Ok(None)
}

/// Adds `tensors` under `prefix`.
pub fn put(all: &mut BTreeMap<String, Tensor>, prefix: &str, tensors: &BTreeMap<String, Tensor>) {
    all.extend(tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.shallow_clone())));
}

/// Takes the tensors under `prefix`, without it.
pub fn take(all: &BTreeMap<String, Tensor>, prefix: &str) -> BTreeMap<String, Tensor> {
    let under = all.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)));
    under.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).collect()
}
