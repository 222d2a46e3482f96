//! Claims that one training takes less time than another: `[[metadata.faster]]` of a pipeline.

use std::collections::BTreeMap;

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::error::suggest;
use callsheet_worker::report::{Run, Stage};
use callsheet_worker::user_error_with_code;
use glob::Pattern;
use serde::Deserialize;
use serde_json::Value;

/// A claim as the pipeline declares it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    /// Sentence that states the claim.
    claim: String,
    /// Stages of the training: one, or several that each continue from the one before. All instances of a
    /// stage, or those that match a pattern (`train@v4-*`), are repetitions.
    stages: Vec<String>,
    /// Stages before the training whose time counts until a quality is reached, but whose steps do not count.
    #[serde(default)]
    pretraining: Vec<String>,
    /// Stages of the training that is claimed to be slower.
    than: Vec<String>,
}

/// Repetitions of a training, each with the names of its stages in order.
pub(super) type Repetitions = Vec<Vec<String>>;

/// A claim about the stages of a run.
pub(super) struct Claim {
    /// Sentence that states the claim.
    pub claim: String,
    /// Stages before the training that is claimed to be faster.
    pub pretraining: Vec<String>,
    /// The training that is claimed to be faster.
    pub faster: Repetitions,
    /// The training that is claimed to be slower.
    pub than: Repetitions,
}

/// A claim, or its sentence and the reason why it cannot be tested in this run.
pub(super) type Found = Result<Claim, (String, String)>;

/// Returns the claims of a run's pipeline.
///
/// # Errors
/// Returns an error if the table `[[metadata.faster]]` is malformed.
pub(super) fn claims(run: &Run) -> Result<Vec<Found>> {
    let Some(declared) = run.metadata.get("faster") else { return Ok(Vec::new()) };
    let declared: Vec<Declared> = serde_json::from_value(declared.clone()).map_err(|error| {
        user_error_with_code(
            Code::Declaration,
            format!("[[metadata.faster]] of the pipeline `{}`: {error}", run.pipeline),
            "declare `claim` (a sentence), `stages` and `than` (lists of stages); `pretraining` (a list of \
             stages) is optional; remove other keys",
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

/// Returns a repetition for each instance of the first stage, with the instances of later stages whose values
/// match.
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
                _ => {
                    return Err(format!(
                        "`{name}` does not have exactly one instance that matches `{}`",
                        first.name
                    ));
                }
            }
        }
    }
    let names = |repetition: Vec<&Stage>| repetition.into_iter().map(|stage| stage.name.clone()).collect();
    Ok(all.into_iter().map(names).collect())
}

/// Returns true if two instances have equal values for every name that both have.
fn agree(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> bool {
    a.iter().all(|(name, value)| b.get(name).is_none_or(|other| other == value))
}

fn single(run: &Run, name: &str) -> Result<String, String> {
    match instances(run, name)?.as_slice() {
        [only] => Ok(only.name.clone()),
        several => Err(format!("the pre-training `{name}` has {} instances, not one", several.len())),
    }
}

/// Returns the stage of this name, all instances of a fanned-out stage, or those that match a pattern.
fn instances<'a>(run: &'a Run, name: &str) -> Result<Vec<&'a Stage>, String> {
    let group = |stage: &Stage| stage.name.split('@').next() == Some(name);
    let pattern =
        Pattern::new(name).map_err(|error| format!("`{name}` is not a valid pattern: {}", error.msg))?;
    let found: Vec<&Stage> =
        run.stages.iter().filter(|stage| group(stage) || pattern.matches(&stage.name)).collect();
    if found.is_empty() {
        let known = run.stages.iter().map(|stage| stage.name.as_str());
        return Err(format!("the run has no stage `{name}`; {}", suggest(name, known)));
    }
    Ok(found)
}

/// Checks that the stages of each training follow one another, and that no training is compared with itself.
fn check(run: &Run, pretraining: &[String], faster: &Repetitions, than: &Repetitions) -> Result<(), String> {
    let reads = |before: &String, after: &String| {
        let stage = run.stages.iter().find(|stage| stage.name == *after);
        stage.is_some_and(|stage| stage.reads.contains(before))
    };
    let pairs = faster.iter().chain(than).flat_map(|stages| stages.windows(2));
    if let Some(two) = pairs.into_iter().find(|two| !reads(&two[0], &two[1])) {
        return Err(format!("`{}` does not continue from `{}`", two[1], two[0]));
    }
    for (n, before) in pretraining.iter().enumerate() {
        if pretraining[..n].contains(before) {
            return Err(format!("the pre-training `{before}` is named twice"));
        }
        if let Some(first) = faster.iter().map(|stages| &stages[0]).find(|first| !reads(before, first)) {
            return Err(format!("`{first}` does not read an output of `{before}`"));
        }
    }
    match faster.iter().find(|repetition| than.contains(repetition)) {
        Some(both) => Err(format!("`{}` is claimed to be faster than itself", both.join(", "))),
        None => Ok(()),
    }
}
