//! Checkpoints in a stage's scratch folder: everything that the next step depends on.
//!
//! Random draws depend on seed and step alone (see `random`), so the step is all their state.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tch::Tensor;

use super::file;
use crate::worker::Context;

/// The last so many are kept.
const KEPT: usize = 2;

/// All tensors that a step depends on, by name.
pub type State = BTreeMap<String, Tensor>;

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

/// Writes a checkpoint and drops old ones: the last two stay, and the last at or before step `milestone`.
/// `course` is what a training must share to go on from it, beside its tensors.
///
/// # Errors
/// When a value is not finite or the disk is full; older checkpoints stay.
pub fn save(context: &Context, step: u64, state: &State, course: &Value, milestone: u64) -> Result<()> {
    let request = &context.request;
    let config = json!({ "stage": request.stage, "step": step, "course": course });
    file::save(&path(&request.scratch, step), state, &config)?;
    let steps = steps(&request.scratch)?;
    let before = steps.iter().rev().find(|step| **step <= milestone);
    for old in steps[..steps.len().saturating_sub(KEPT)].iter().filter(|step| Some(*step) != before) {
        let _ = fs::remove_file(path(&request.scratch, *old));
    }
    Ok(())
}

/// The latest checkpoint at or before step `stop` whose course `agrees` up to its step, with its tensors.
/// One that is damaged, or has other tensors than `expected`, is said and set aside.
///
/// # Errors
/// When the scratch folder cannot be listed.
pub fn resume(
    context: &Context,
    stop: u64,
    expected: &State,
    agrees: impl Fn(u64, &Value) -> bool,
) -> Result<Option<(u64, State)>> {
    let scratch = &context.request.scratch;
    for step in steps(scratch)?.into_iter().rev().filter(|step| *step <= stop) {
        let path = path(scratch, step);
        match load(&path, &context.request.stage, expected) {
            Ok((state, course)) if agrees(step, &course) => {
                context.info(format!("continues from step {step}"));
                return Ok(Some((step, state)));
            }
            Ok(_) => {}
            Err(error) => {
                context.warn(format!("set aside a checkpoint that cannot be used: {error:#}"));
                let _ = fs::rename(&path, path.with_extension("unusable"));
            }
        }
    }
    Ok(None)
}

/// Reads a checkpoint of `stage` with the `expected` tensors; also returns its course.
fn load(path: &Path, stage: &str, expected: &State) -> Result<(State, Value)> {
    let (state, mut config) = file::load(path)?;
    let shown = path.display();
    let found = config["stage"].as_str().unwrap_or("no stage");
    if found != stage {
        bail!("{shown} is of {found}, not of {stage}");
    }
    if let Some(foreign) = state.keys().find(|name| !expected.contains_key(*name)) {
        bail!("{shown} has a tensor `{foreign}`, which this training has not");
    }
    for (name, tensor) in expected {
        let Some(found) = state.get(name) else {
            bail!("{shown} has no tensor `{name}`");
        };
        if found.size() != tensor.size() {
            bail!("{shown}: `{name}` has shape {:?}, this training's {:?}", found.size(), tensor.size());
        }
    }
    Ok((state, config["course"].take()))
}

/// Adds `tensors` under `prefix`.
pub fn put(all: &mut State, prefix: &str, tensors: &State) {
    all.extend(tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.shallow_clone())));
}

/// Takes the tensors under `prefix`, without it.
pub fn take(all: &State, prefix: &str) -> State {
    let under = all.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)));
    under.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).collect()
}
