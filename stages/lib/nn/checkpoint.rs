//! Checkpoints in a stage's scratch folder. A checkpoint contains everything on which the next step depends.
//!
//! Random draws depend only on the seed and the step (see `random`), so the step is the complete state of the
//! random generator.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use callsheet_worker::Job;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::file;

/// Number of latest checkpoints that are kept.
const KEPT: usize = 2;

/// All tensors that a step depends on, by name.
pub(crate) type State = BTreeMap<String, Tensor>;

/// Key of a checkpoint's configuration with the architecture of its networks.
pub(crate) const NETWORK: &str = "network";

/// Properties of a training that it must share with a checkpoint to resume from it, and the steps
/// at which checkpoints are kept.
pub(crate) struct TrainingConfig {
    /// Properties that are compared before a training resumes.
    pub terms: Value,
    /// Architecture of the networks, for programs that read a single checkpoint.
    pub network: Value,
    /// The last checkpoint at or before this step is kept.
    pub milestone: u64,
    /// Number of steps between two checkpoints.
    pub every: u64,
}

/// Path of a checkpoint: `step-000000500-1a2b3c4d.safetensors`. The hash distinguishes checkpoints of
/// different courses in one folder.
fn path(scratch: &Path, step: u64, course: &TrainingConfig) -> PathBuf {
    let course = blake3::hash(course.terms.to_string().as_bytes()).to_hex();
    scratch.join(format!("step-{step:09}-{}.safetensors", &course[..8]))
}

/// All checkpoints in a folder, sorted by step.
fn all(scratch: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(scratch).with_context(|| format!("cannot list `{}`", scratch.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let parts = name.strip_prefix("step-").and_then(|name| name.strip_suffix(".safetensors"));
        let step = parts.and_then(|parts| parts.split_once('-')?.0.parse().ok());
        found.extend(step.map(|step| (step, path)));
    }
    found.sort_unstable();
    Ok(found)
}

/// Quality of a checkpoint.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Measured {
    step: u64,
    loss: f64,
}

/// Writes a checkpoint, removes old checkpoints of its course, and returns the path of the best.
///
/// The last two are kept, the best (with the smallest finite `loss`), the last one up to the milestone, and
/// those after 1, 2, 4, 8, .. intervals. From the latter, a course that differs from an earlier step on can
/// resume.
///
/// # Errors
/// Returns an error if a value is not finite or the file cannot be written. Older checkpoints are kept in
/// this case.
pub(crate) fn save(
    job: &Job,
    step: u64,
    state: &State,
    course: &TrainingConfig,
    loss: Option<f64>,
) -> Result<Option<PathBuf>> {
    let request = &job.request;
    let config = json!({
        "stage": request.stage, "step": step, "made_on": made_on(job, state), "course": course.terms,
        NETWORK: course.network,
    });
    let written = path(&request.scratch, step, course);
    file::save(&written, state, &config)?;
    let best = best(&written, step, loss)?;
    // Checkpoints of later steps belong to a longer run and are kept.
    let own = |(at, found): &(u64, PathBuf)| *at <= step && *found == path(&request.scratch, *at, course);
    let own: Vec<(u64, PathBuf)> = all(&request.scratch)?.into_iter().filter(own).collect();
    let milestone = own.iter().rev().map(|(at, _)| *at).find(|at| *at <= course.milestone);
    for (at, old) in &own[..own.len().saturating_sub(KEPT)] {
        if ![milestone, best].contains(&Some(*at)) && !(at / course.every).is_power_of_two() {
            let _ = fs::remove_file(old);
        }
    }
    Ok(best.map(|step| path(&request.scratch, step, course)))
}

/// Returns the step of the best checkpoint of a course, among those up to the one that was `written` after
/// `step` with a `loss`. Losses are kept in `measured-1a2b3c4d.json`, including those of later steps from a
/// longer run.
fn best(written: &Path, step: u64, loss: Option<f64>) -> Result<Option<u64>> {
    let name = written.file_stem().unwrap_or_default().to_string_lossy();
    let path =
        written.with_file_name(format!("measured-{}.json", name.rsplit('-').next().unwrap_or_default()));
    let text = fs::read(&path).unwrap_or_default();
    let mut measured: Vec<Measured> = serde_json::from_slice(&text).unwrap_or_default();
    measured.retain(|known| known.step != step);
    measured.extend(loss.filter(|loss| loss.is_finite()).map(|loss| Measured { step, loss }));
    let staged = path.with_extension("partial");
    fs::write(&staged, serde_json::to_vec(&measured)?).and_then(|()| fs::rename(&staged, &path))?;
    let up_to_here = measured.into_iter().filter(|known| known.step <= step);
    Ok(up_to_here.min_by(|a, b| a.loss.total_cmp(&b.loss)).map(|best| best.step))
}

/// Loads the latest checkpoint at or before step `stop` whose course `agrees` up to its step.
///
/// A checkpoint that is damaged, or has other tensors than `expected`, is renamed with a warning.
///
/// # Errors
/// Returns an error if the scratch folder cannot be listed, or a checkpoint in it cannot be read.
pub(crate) fn resume(
    job: &Job,
    stop: u64,
    expected: &State,
    agrees: impl Fn(u64, &Value) -> bool,
) -> Result<Option<(u64, State)>> {
    let scratch = &job.request.scratch;
    for (step, path) in all(scratch)?.into_iter().rev().filter(|(step, _)| *step <= stop) {
        match load(&path, &job.request.stage, expected) {
            Ok((state, config)) if agrees(step, &config["course"]) => {
                let (then, now) = (config["made_on"].as_str(), made_on(job, expected));
                match then.filter(|then| *then != now) {
                    None => job.info(format!("continues from step {step}")),
                    Some(then) => job.warn(format!(
                        "continues from step {step} (computed on {then}) on {now}: rounding may differ"
                    )),
                }
                return Ok(Some((step, state)));
            }
            Ok(_) => {}
            // After an I/O error, the file itself may be intact.
            Err(error) if error.chain().any(|cause| cause.is::<std::io::Error>()) => return Err(error),
            Err(error) => {
                job.warn(format!("ignored an unusable checkpoint: {error:#}"));
                let _ = fs::rename(&path, path.with_extension("unusable"));
            }
        }
    }
    Ok(None)
}

/// Device on which a state is computed. Devices differ in the rounding of sums.
fn made_on(job: &Job, state: &State) -> String {
    match state.values().next().map(Tensor::device) {
        Some(Device::Cuda(number)) => format!("cuda:{number}"),
        _ => format!("CPUs with {} threads", job.request.cpus),
    }
}

/// Reads a checkpoint of `stage` with the `expected` tensors, and its configuration.
fn load(path: &Path, stage: &str, expected: &State) -> Result<(State, Value)> {
    let (state, config) = file::load(path)?;
    let shown = format!("`{}`", path.display());
    let found = config["stage"].as_str().unwrap_or("no stage");
    if found != stage {
        bail!("{shown} belongs to {found}, not to {stage}");
    }
    if let Some(foreign) = state.keys().find(|name| !expected.contains_key(*name)) {
        bail!("{shown} has a tensor `{foreign}` that this training does not use");
    }
    for (name, tensor) in expected {
        let Some(found) = state.get(name) else {
            bail!("{shown} has no tensor `{name}`");
        };
        if found.size() != tensor.size() {
            bail!("{shown}: `{name}` has shape {:?} instead of {:?}", found.size(), tensor.size());
        }
    }
    Ok((state, config))
}

/// Adds `tensors` under `prefix`.
pub(crate) fn put(all: &mut State, prefix: &str, tensors: &State) {
    all.extend(tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.shallow_clone())));
}

/// Overwrites `tensors` with those under `prefix` of a state that contains all of them.
pub(crate) fn restore(tensors: &mut State, from: &State, prefix: &str) {
    for (name, tensor) in tensors {
        // `copy_` keeps the memory layout of its destination.
        tensor.copy_(&from[&format!("{prefix}{name}")]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(name: &str, milestone: u64) -> TrainingConfig {
        TrainingConfig { terms: json!(name), network: json!("a network"), milestone, every: 1 }
    }

    fn state(value: f32) -> State {
        [("w".to_owned(), Tensor::from_slice(&[value]))].into()
    }

    fn kept(scratch: &Path, course: &TrainingConfig) -> Vec<u64> {
        let own = |(step, found): &(u64, PathBuf)| *found == path(scratch, *step, course);
        all(scratch).expect("listed").iter().filter(|found| own(found)).map(|(step, _)| *step).collect()
    }

    #[test]
    fn the_last_two_the_milestone_and_increasingly_sparse_ones_are_kept() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (job, course) = (Job::in_scratch("train", scratch.path()), course("a", 11));
        (1..=20).for_each(|step| drop(save(&job, step, &state(step as f32), &course, None).expect("saved")));
        assert_eq!(kept(scratch.path(), &course), [1, 2, 4, 8, 11, 16, 19, 20]);
    }

    #[test]
    fn checkpoints_of_other_courses_or_later_steps_displace_no_needed_one() {
        let scratch = tempfile::tempdir().expect("a folder");
        let job = Job::in_scratch("train", scratch.path());
        let (old, new) = (course("old", 14), course("new", 20));
        (1..=18).for_each(|step| drop(save(&job, step, &state(step as f32), &old, None).expect("saved")));
        // The courses agree up to step 14.
        let agrees = |step: u64, terms: &Value| terms == "new" || step <= 14;
        let resumed = |stop| resume(&job, stop, &state(0.0), agrees).expect("listed").map(|(step, _)| step);
        assert_eq!(resumed(16), Some(14));
        (15..=16).for_each(|step| drop(save(&job, step, &state(step as f32), &new, None).expect("saved")));
        assert_eq!(resumed(20), Some(16), "it resumes from its own checkpoint");
        assert_eq!(kept(scratch.path(), &old), [1, 2, 4, 8, 14, 16, 17, 18], "the other can resume, too");
        assert_eq!(resumed(15), Some(15), "and from an earlier step");
    }

    #[test]
    fn the_best_stays_however_long_ago_it_was() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (job, course) = (Job::in_scratch("train", scratch.path()), course("a", 0));
        for (step, loss) in (1..).zip([9.0, 8.0, 7.0, 6.0, 3.0, 5.0, -f64::NAN, 4.0, 9.0]) {
            save(&job, step, &state(1.0), &course, Some(loss)).expect("saved");
        }
        assert_eq!(kept(scratch.path(), &course), [1, 2, 4, 5, 8, 9]);
        save(&job, 10, &state(1.0), &course, None).expect("saved");
        assert_eq!(kept(scratch.path(), &course), [1, 2, 4, 5, 8, 9, 10], "also if nothing is measured");
        // A shorter run removes no losses that a longer one measured.
        save(&job, 3, &state(1.0), &course, Some(8.5)).expect("saved");
        let best = save(&job, 11, &state(1.0), &course, Some(4.0)).expect("saved").expect("one");
        assert!(best.to_string_lossy().contains("step-000000005-"), "{best:?}");
        assert!(kept(scratch.path(), &course).contains(&5));
    }

    #[test]
    fn checkpoints_that_do_not_fit_are_set_aside() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (job, course) = (Job::in_scratch("train", scratch.path()), course("a", 0));
        save(&job, 1, &state(1.0), &course, None).expect("saved");
        let wide: State = [("w".to_owned(), Tensor::zeros([2], (tch::Kind::Float, Device::Cpu)))].into();
        save(&job, 2, &wide, &course, None).expect("saved");
        let foreign: State = [("v".to_owned(), Tensor::from_slice(&[1f32]))].into();
        save(&job, 3, &foreign, &course, None).expect("saved");
        save(&Job::in_scratch("other", scratch.path()), 4, &state(4.0), &course, None).expect("saved");
        let (step, found) = resume(&job, 9, &state(0.0), |_, _| true).expect("listed").expect("one");
        assert_eq!((step, found["w"].double_value(&[0])), (1, 1.0));
        let aside = fs::read_dir(scratch.path()).expect("listed").flatten();
        assert_eq!(
            aside.filter(|entry| entry.path().extension().is_some_and(|e| e == "unusable")).count(),
            3
        );
    }

    #[test]
    fn a_value_that_is_not_finite_is_not_saved_and_the_one_before_stays() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (job, course) = (Job::in_scratch("train", scratch.path()), course("a", 0));
        save(&job, 1, &state(1.0), &course, None).expect("saved");
        assert!(save(&job, 2, &state(f32::NAN), &course, None).is_err());
        assert_eq!(kept(scratch.path(), &course), [1]);
    }
}
