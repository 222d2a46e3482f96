//! Checkpoints in a stage's scratch folder: everything that the next step depends on.
//!
//! Random draws depend on seed and step alone (see `random`), so the step is all their state.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use callsheet_worker::Job;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::file;

/// The last so many are kept.
const KEPT: usize = 2;

/// All tensors that a step depends on, by name.
pub(crate) type State = BTreeMap<String, Tensor>;

/// In a checkpoint's configuration: what its networks are built from.
pub(crate) const NETWORK: &str = "network";

/// Properties that a training must share with a checkpoint to resume from it, and the steps at which checkpoints are kept.
pub(crate) struct Course {
    /// Compared by those who resume.
    pub terms: Value,
    /// Architecture of the networks, for readers of a single checkpoint.
    pub network: Value,
    /// The last checkpoint at or before this step is kept.
    pub milestone: u64,
    /// Steps between two checkpoints.
    pub every: u64,
}

/// `step-000000500-1a2b3c4d.safetensors`: checkpoints of different courses lie side by side.
fn path(scratch: &Path, step: u64, course: &Course) -> PathBuf {
    let course = blake3::hash(course.terms.to_string().as_bytes()).to_hex();
    scratch.join(format!("step-{step:09}-{}.safetensors", &course[..8]))
}

/// All checkpoints, by their step.
fn all(scratch: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(scratch).with_context(|| format!("cannot list {}", scratch.display()))? {
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

/// Writes a checkpoint and drops old ones of its course: the last two stay, the best, which has the least
/// `loss` of those that have any, the one at the milestone, and ever rarer ones before, from which a course
/// that turns off earlier may go on. Returns the best.
///
/// # Errors
/// When a value is not finite or the disk is full; older checkpoints stay.
pub(crate) fn save(
    job: &Job,
    step: u64,
    state: &State,
    course: &Course,
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
    // Those of later steps are of a run that went further.
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

/// The step of the best checkpoint of a course up to the one that was `written` after `step` with a `loss`. What was
/// measured is kept in `measured-1a2b3c4d.json`, also of later steps: of a run that went further.
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

/// The latest checkpoint at or before step `stop` whose course `agrees` up to its step, with its tensors.
/// One that is damaged, or has other tensors than `expected`, is said and set aside.
///
/// # Errors
/// When the scratch folder cannot be listed, or a checkpoint in it cannot be read.
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
                        "continues from step {step}, which was made on {then}, on {now}: they round differently"
                    )),
                }
                return Ok(Some((step, state)));
            }
            Ok(_) => {}
            // What cannot be read now may be whole.
            Err(error) if error.chain().any(|cause| cause.is::<std::io::Error>()) => return Err(error),
            Err(error) => {
                job.warn(format!("set aside a checkpoint that cannot be used: {error:#}"));
                let _ = fs::rename(&path, path.with_extension("unusable"));
            }
        }
    }
    Ok(None)
}

/// Device on which a state is computed: other devices round sums differently.
fn made_on(job: &Job, state: &State) -> String {
    match state.values().next().map(Tensor::device) {
        Some(Device::Cuda(number)) => format!("cuda:{number}"),
        _ => format!("CPUs with {} threads", job.request.cpus),
    }
}

/// Reads a checkpoint of `stage` with the `expected` tensors; also returns its configuration.
fn load(path: &Path, stage: &str, expected: &State) -> Result<(State, Value)> {
    let (state, config) = file::load(path)?;
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
    Ok((state, config))
}

/// Adds `tensors` under `prefix`.
pub(crate) fn put(all: &mut State, prefix: &str, tensors: &State) {
    all.extend(tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.shallow_clone())));
}

/// Overwrites `tensors` with those under `prefix` of a state that has them all.
pub(crate) fn restore(tensors: &mut State, from: &State, prefix: &str) {
    for (name, tensor) in tensors {
        // What is copied keeps the layout in memory of what is there.
        tensor.copy_(&from[&format!("{prefix}{name}")]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(name: &str, milestone: u64) -> Course {
        Course { terms: json!(name), network: json!("a network"), milestone, every: 1 }
    }

    fn state(value: f32) -> State {
        [("w".to_owned(), Tensor::from_slice(&[value]))].into()
    }

    fn kept(scratch: &Path, course: &Course) -> Vec<u64> {
        let own = |(step, found): &(u64, PathBuf)| *found == path(scratch, *step, course);
        all(scratch).expect("listed").iter().filter(|found| own(found)).map(|(step, _)| *step).collect()
    }

    #[test]
    fn the_last_two_the_milestone_and_ever_rarer_ones_stay() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (job, course) = (Job::in_scratch("train", scratch.path()), course("a", 11));
        (1..=20).for_each(|step| drop(save(&job, step, &state(step as f32), &course, None).expect("saved")));
        assert_eq!(kept(scratch.path(), &course), [1, 2, 4, 8, 11, 16, 19, 20]);
    }

    #[test]
    fn checkpoints_of_another_course_or_of_later_steps_cost_none_that_is_needed() {
        let scratch = tempfile::tempdir().expect("a folder");
        let job = Job::in_scratch("train", scratch.path());
        let (old, new) = (course("old", 14), course("new", 20));
        (1..=18).for_each(|step| drop(save(&job, step, &state(step as f32), &old, None).expect("saved")));
        // Both are the same up to step 14.
        let agrees = |step: u64, terms: &Value| terms == "new" || step <= 14;
        let resumed = |stop| resume(&job, stop, &state(0.0), agrees).expect("listed").map(|(step, _)| step);
        assert_eq!(resumed(16), Some(14));
        (15..=16).for_each(|step| drop(save(&job, step, &state(step as f32), &new, None).expect("saved")));
        assert_eq!(resumed(20), Some(16), "it goes on from its own");
        assert_eq!(kept(scratch.path(), &old), [1, 2, 4, 8, 14, 16, 17, 18], "the other can go on, too");
        assert_eq!(resumed(15), Some(15), "and less far");
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
        assert_eq!(kept(scratch.path(), &course), [1, 2, 4, 5, 8, 9, 10], "also where nothing is measured");
        // A run that goes less far forgets nothing of what a longer one found.
        save(&job, 3, &state(1.0), &course, Some(8.5)).expect("saved");
        let best = save(&job, 11, &state(1.0), &course, Some(4.0)).expect("saved").expect("one");
        assert!(best.to_string_lossy().contains("step-000000005-"), "{best:?}");
        assert!(kept(scratch.path(), &course).contains(&5));
    }

    #[test]
    fn what_does_not_fit_is_set_aside() {
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
