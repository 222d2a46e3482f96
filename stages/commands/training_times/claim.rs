//! Claims that one training takes less time than another: `[[metadata.faster]]` of a pipeline.

use std::collections::BTreeMap;

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::error::suggest;
use callsheet_worker::report::{Run, Stage};
use callsheet_worker::user_error;
use glob::Pattern;
use serde::Deserialize;
use serde_json::Value;

/// A claim as the pipeline declares it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    /// The claim, in a sentence.
    claim: String,
    /// A training: a stage, or several of which each goes on from the one before. All instances of a stage, or those of a
    /// pattern (`train@v4-*`), are its repetitions.
    stages: Vec<String>,
    /// Stages before it whose time counts until a quality is reached, though not as steps.
    #[serde(default)]
    pretraining: Vec<String>,
    /// The training that it is said to be faster than, named alike.
    than: Vec<String>,
}

/// Repetitions of a training: of each the names of its stages, in their order.
pub(super) type Repetitions = Vec<Vec<String>>;

/// A claim about the stages of a run.
pub(super) struct Claim {
    /// The claim, in a sentence.
    pub claim: String,
    /// Stages before the training that is said to be faster.
    pub pretraining: Vec<String>,
    /// The training that is said to be faster.
    pub faster: Repetitions,
    /// The one that it is said to be faster than.
    pub than: Repetitions,
}

/// A claim, or its sentence and why it cannot be tested in this run.
pub(super) type Found = Result<Claim, (String, String)>;

/// The claims of the pipeline of a run.
///
/// # Errors
/// When the table `[[metadata.faster]]` is malformed.
pub(super) fn claims(run: &Run) -> Result<Vec<Found>> {
    let Some(declared) = run.metadata.get("faster") else { return Ok(Vec::new()) };
    let declared: Vec<Declared> = serde_json::from_value(declared.clone()).map_err(|error| {
        user_error(
            Code::Declaration,
            format!("[[metadata.faster]] of the pipeline `{}`: {error}", run.pipeline),
            "each has `claim`, `stages`, `than` and perhaps `pretraining`; the last three are lists of stages",
        )
    })?;
    Ok(declared.into_iter().map(|declared| find(run, declared)).collect())
}

fn find(run: &Run, declared: Declared) -> Found {
    let Declared { claim, stages, pretraining, than } = declared;
    let found = || -> Result<(Vec<String>, Repetitions, Repetitions), String> {
        let pretraining = pretraining.iter().map(|name| single(run, name)).collect::<Result<Vec<_>, _>>()?;
        let (faster, than) = (repetitions(run, &stages)?, repetitions(run, &than)?);
        check(run, &pretraining, &faster, &than)?;
        Ok((pretraining, faster, than))
    };
    match found() {
        Ok((pretraining, faster, than)) => Ok(Claim { claim, pretraining, faster, than }),
        Err(why) => Err((claim, why)),
    }
}

/// Each instance of the first stage begins a repetition; of each later stage it has the one with the same values.
fn repetitions(run: &Run, names: &[String]) -> Result<Repetitions, String> {
    let Some((first, later)) = names.split_first() else { return Err("it names no stage".to_owned()) };
    let mut all: Vec<Vec<&Stage>> = instances(run, first)?.into_iter().map(|stage| vec![stage]).collect();
    for name in later {
        let instances = instances(run, name)?;
        for repetition in &mut all {
            let first = repetition[0];
            let mut partners = instances.iter().filter(|stage| agree(&first.values, &stage.values));
            match (partners.next(), partners.next()) {
                (Some(only), None) => repetition.push(only),
                _ => return Err(format!("`{name}` is not one stage for `{}`", first.name)),
            }
        }
    }
    let names = |repetition: Vec<&Stage>| repetition.into_iter().map(|stage| stage.name.clone()).collect();
    Ok(all.into_iter().map(names).collect())
}

/// Returns true if two instances have the same values wherever both have one.
fn agree(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> bool {
    a.iter().all(|(name, value)| b.get(name).is_none_or(|other| other == value))
}

fn single(run: &Run, name: &str) -> Result<String, String> {
    match instances(run, name)?.as_slice() {
        [only] => Ok(only.name.clone()),
        several => Err(format!("the pre-training `{name}` is {} stages", several.len())),
    }
}

/// The stage of a name, all instances of one that is fanned out, or those of a pattern.
fn instances<'a>(run: &'a Run, name: &str) -> Result<Vec<&'a Stage>, String> {
    let group = |stage: &Stage| stage.name.split('@').next() == Some(name);
    let pattern = Pattern::new(name).map_err(|error| format!("`{name}` is no pattern: {}", error.msg))?;
    let found: Vec<&Stage> =
        run.stages.iter().filter(|stage| group(stage) || pattern.matches(&stage.name)).collect();
    if found.is_empty() {
        let known = run.stages.iter().map(|stage| stage.name.as_str());
        return Err(format!("the run has no stage `{name}`; {}", suggest(name, known)));
    }
    Ok(found)
}

/// Refuses trainings of stages that do not follow one another, and those that are compared with themselves.
fn check(run: &Run, pretraining: &[String], faster: &Repetitions, than: &Repetitions) -> Result<(), String> {
    let reads = |before: &String, after: &String| {
        let stage = run.stages.iter().find(|stage| stage.name == *after);
        stage.is_some_and(|stage| stage.reads.contains(before))
    };
    let pairs = faster.iter().chain(than).flat_map(|stages| stages.windows(2));
    if let Some(two) = pairs.into_iter().find(|two| !reads(&two[0], &two[1])) {
        return Err(format!("`{}` does not go on from `{}`", two[1], two[0]));
    }
    for (n, before) in pretraining.iter().enumerate() {
        if pretraining[..n].contains(before) {
            return Err(format!("the pre-training `{before}` is named twice"));
        }
        if let Some(first) = faster.iter().map(|stages| &stages[0]).find(|first| !reads(before, first)) {
            return Err(format!("`{first}` does not read what `{before}` makes"));
        }
    }
    match faster.iter().find(|repetition| than.contains(repetition)) {
        Some(both) => Err(format!("`{}` is said to be faster than itself", both.join(", "))),
        None => Ok(()),
    }
}
