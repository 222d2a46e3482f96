//! Claims on time, of the stages that there are.

use std::sync::Arc;

use toml::Spanned;

use super::foreach::group;
use super::overlay::{at, positions};
use super::spec::Spec;
use crate::declare::Faster;
use crate::error::{Result, SourceText, suggest};

/// That one training takes less time than another.
#[derive(Clone, Debug)]
pub struct FasterClaim {
    /// What is claimed, in a sentence.
    pub claim: String,
    /// The training that is said to be faster.
    pub faster: Training,
    /// The one that it is said to be faster than.
    pub than: Training,
}

/// Repetitions of a training: of each the names of its stages, in their order.
pub type Training = Vec<Vec<String>>;

/// The claims of a file, but for those of instances that a layer above has left out.
///
/// # Errors
/// When one is of a stage that the pipeline does not have, or of no stage.
pub fn claims(
    spec: &Spec,
    claimed: &[Faster],
    source: &Arc<SourceText>,
    above: impl Fn(&str) -> bool,
) -> Result<Vec<FasterClaim>> {
    let mut found = Vec::new();
    for Faster { claim, stages, than } in claimed {
        let training = |names| training(spec, source, names, &above);
        if let (Some(faster), Some(than)) = (training(stages)?, training(than)?) {
            found.push(FasterClaim { claim: claim.clone(), faster, than });
        }
    }
    Ok(found)
}

/// None where what is named was left out by a layer above.
fn training(
    spec: &Spec,
    source: &Arc<SourceText>,
    named: &Spanned<Vec<Spanned<String>>>,
    above: impl Fn(&str) -> bool,
) -> Result<Option<Training>> {
    let mut repetitions: Training = Vec::new();
    for (n, name) in named.get_ref().iter().enumerate() {
        let origin = at(source, name.span());
        let name = name.get_ref();
        let Some(instances) = positions(spec, name) else {
            if above(group(name)) {
                return Ok(None);
            }
            let known = spec.stages.iter().map(|stage| stage.name.as_str());
            let message = format!("the pipeline has no stage `{name}`");
            return Err(origin.fault(message, "claimed of here", suggest(name, known)));
        };
        if n == 0 {
            repetitions.resize(instances.len(), Vec::new());
        }
        if instances.len() != repetitions.len() {
            let first = named.get_ref()[0].get_ref();
            return Err(origin.fault(
                format!("`{name}` means {} stages, `{first}` {}", instances.len(), repetitions.len()),
                "claimed of here",
                "each repetition of a training is one stage of each".into(),
            ));
        }
        for (repetition, at) in repetitions.iter_mut().zip(instances) {
            repetition.push(spec.stages[at].name.clone());
        }
    }
    if repetitions.is_empty() {
        let message = "a claim on time is of no stage".to_owned();
        let help = "name one, or several of which each goes on from the one before".to_owned();
        return Err(at(source, named.span()).fault(message, "said here", help));
    }
    Ok(Some(repetitions))
}
