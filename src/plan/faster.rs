//! Claims on time, of the stages that there are.

use std::sync::Arc;

use callsheet_worker::error::{Result, SourceText, suggest};
use glob::Pattern;
use toml::Spanned;

use super::Stage;
use super::claim::{FasterClaim, Training};
use super::foreach::group;
use super::place::{at, positions};
use super::spec::Spec;
use crate::declare::{Faster, Origin};

/// The claims of a pipeline, but for those of instances that a layer above has left out.
///
/// # Errors
/// When one is of a stage that the pipeline does not have, or of no stage, or repetitions are not told apart.
pub fn claims(
    spec: &Spec,
    claimed: &[Faster],
    source: &Arc<SourceText>,
    above: impl Fn(&str) -> bool,
) -> Result<Vec<(FasterClaim, Origin)>> {
    let known = Known { spec, source, above: &above };
    let mut found = Vec::new();
    for Faster { claim, stages, pretraining, than } in claimed {
        let before = pretraining.iter().map(|name| known.single(name)).collect::<Result<Vec<_>>>()?;
        let (faster, than) = (known.training(stages)?, known.training(than)?);
        // Without repetitions it was left out.
        if !faster.is_empty() && !than.is_empty() && before.iter().all(Option::is_some) {
            let pretraining = before.into_iter().flatten().collect();
            let claim = FasterClaim { claim: claim.clone(), pretraining, faster, than };
            found.push((claim, at(source, stages.span())));
        }
    }
    Ok(found)
}

/// What names of a claim may mean.
struct Known<'a> {
    spec: &'a Spec,
    source: &'a Arc<SourceText>,
    /// Whether a layer above says what a stage is fanned out over.
    above: &'a dyn Fn(&str) -> bool,
}

impl Known<'_> {
    fn training(&self, named: &Spanned<Vec<Spanned<String>>>) -> Result<Training> {
        let Some((first, later)) = named.get_ref().split_first() else {
            let message = "a claim on time is of no stage".to_owned();
            let help = "name one, or several of which each goes on from the one before".to_owned();
            return Err(at(self.source, named.span()).fault(message, "said here", help));
        };
        let mut repetitions: Vec<Vec<usize>> =
            self.instances(first)?.into_iter().map(|at| vec![at]).collect();
        for name in later {
            let instances = self.instances(name)?;
            let partner = |repetition: &[usize]| {
                let values = &self.spec.stages[repetition[0]].values;
                let agreeing = self.spec.agreeing(&self.spec.range(group(name.get_ref()))?, values);
                let mut found = agreeing.into_iter().filter(|at| instances.contains(at));
                found.next().filter(|_| found.next().is_none())
            };
            let mut unpaired = Vec::new();
            repetitions.retain_mut(|repetition| match partner(repetition) {
                Some(next) => {
                    repetition.push(next);
                    true
                }
                None => {
                    unpaired.push(self.spec.stages[repetition[0]].name.clone());
                    false
                }
            });
            let left_out = named.get_ref().iter().any(|name| (self.above)(group(name.get_ref())));
            if let Some(repetition) = unpaired.first().filter(|_| !left_out) {
                return Err(at(self.source, name.span()).fault(
                    format!("`{}` is not one stage for `{repetition}`", name.get_ref()),
                    "claimed of here",
                    "each repetition of a training is one instance of each of its stages".into(),
                ));
            }
        }
        let names = |repetition: Vec<usize>| {
            repetition.into_iter().map(|at| self.spec.stages[at].name.clone()).collect()
        };
        Ok(repetitions.into_iter().map(names).collect())
    }

    /// The only instance of a name; none if it was left out.
    fn single(&self, name: &Spanned<String>) -> Result<Option<String>> {
        let instances = self.instances(name)?;
        if instances.len() > 1 {
            return Err(at(self.source, name.span()).fault(
                format!("`{}` is {} stages", name.get_ref(), instances.len()),
                "claimed of here",
                "a pre-training is one stage, which all repetitions share".into(),
            ));
        }
        Ok(instances.first().map(|at| self.spec.stages[*at].name.clone()))
    }

    /// Positions of what a name means; none if a layer above has left it out.
    fn instances(&self, name: &Spanned<String>) -> Result<Vec<usize>> {
        let origin = at(self.source, name.span());
        let name = name.get_ref();
        if let Err(error) = Pattern::new(name) {
            let message = format!("`{name}` is no pattern: {}", error.msg);
            return Err(origin.fault(message, "claimed of here", "e.g. `train@v4-*`".into()));
        }
        match positions(self.spec, name) {
            Some(found) => Ok(found),
            None if (self.above)(group(name)) => Ok(Vec::new()),
            None => {
                let known = self.spec.stages.iter().map(|stage| stage.name.as_str());
                let message = format!("the pipeline has no stage `{name}`");
                Err(origin.fault(message, "claimed of here", suggest(name, known)))
            }
        }
    }
}

/// Refuses trainings of stages that do not follow one another, and those that are compared with themselves.
///
/// # Errors
/// When a claim is of such a training.
pub fn check_claims(claims: &[(FasterClaim, Origin)], stages: &[Stage]) -> Result<()> {
    let position = |name: &String| stages.iter().position(|stage| stage.name == *name);
    let reads = |before: &String, after: &String| {
        let both = position(before).zip(position(after));
        both.is_none_or(|(before, after)| stages[after].upstream().contains(&before))
    };
    for (claim, origin) in claims {
        let refused = |message: String, help: &str| Err(origin.fault(message, "claimed here", help.into()));
        let all = claim.faster.iter().chain(&claim.than);
        if let Some(two) = all.flat_map(|stages| stages.windows(2)).find(|two| !reads(&two[0], &two[1])) {
            let message = format!("`{}` does not go on from `{}`", two[1], two[0]);
            return refused(message, "name stages of which each reads what the one before makes");
        }
        for (n, before) in claim.pretraining.iter().enumerate() {
            if claim.pretraining[..n].contains(before) {
                return refused(format!("the pre-training `{before}` stands there twice"), "leave one out");
            }
            let mut firsts = claim.faster.iter().map(|stages| &stages[0]);
            if let Some(first) = firsts.find(|first| !reads(before, first)) {
                let message = format!("`{first}` does not read what `{before}` makes");
                return refused(message, "a pre-training makes what the training begins with");
            }
        }
        if let Some(both) = claim.faster.iter().find(|repetition| claim.than.contains(repetition)) {
            let message = format!("`{}` is said to be faster than itself", both.join(", "));
            return refused(message, "name other trainings");
        }
    }
    Ok(())
}
