//! Initial weights of a training, and the checks before it.

use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::{Job, user_error};

use super::params::Params;
use crate::lib::data::Pairs;
use crate::lib::model::{Model, Spec, Trained};
use crate::lib::nn::compute::Compute;
use crate::lib::nn::encoder::{STYLE_DIM, code_size, wrong_size};
use crate::lib::nn::{bicyclegan, discriminator, file};
use crate::lib::objective::{Family, Network, Objective, Start, Term};

/// Reads the objective with the stage's weights, and derives that of the warm-up, which has only the squared
/// error.
///
/// # Errors
/// Returns an error if the file is not a valid objective, or a warm-up has no loss.
pub(super) fn objectives(path: &Path, params: &Params) -> Result<(Objective, Objective)> {
    let text = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut objective: Objective = serde_json::from_slice(&text)
        .with_context(|| format!("`{}` was not written by resolve_objective", path.display()))?;
    for optimizer in objective.optimizers.values_mut() {
        let terms = &mut optimizer.terms;
        let reconstructs =
            [Term::Perceptual, Term::L1, Term::Mse].iter().any(|term| terms.contains_key(term));
        if reconstructs && params.w_mse > 0.0 {
            *terms.entry(Term::Mse).or_default() += params.w_mse;
        }
        for (term, weight) in terms.iter_mut() {
            if [Term::Perceptual, Term::Cycle].contains(term) {
                *weight *= params.perceptual_scale;
            }
        }
    }
    let mut warm_up = objective.clone();
    warm_up
        .optimizers
        .values_mut()
        .for_each(|optimizer| optimizer.terms.retain(|term, _| *term == Term::Mse));
    warm_up.optimizers.retain(|_, optimizer| !optimizer.terms.is_empty());
    if params.warmup_kimg > 0.0 && warm_up.optimizers.is_empty() {
        return Err(user_error(
            format!(
                "warmup_kimg = {} requires the loss term mse, but no optimizer has it",
                params.warmup_kimg
            ),
            "set warmup_kimg to 0, or w_mse above 0; w_mse has an effect only on optimizers with the term \
             perceptual, l1 or mse",
        ));
    }
    Ok((objective, warm_up))
}

/// Creates the networks with their initial weights, and returns the step up to which these are trained.
///
/// # Errors
/// Returns an error if the side is too small for the discriminators, or weights are missing or do not fit.
pub(super) fn model(
    job: &Job,
    params: &Params,
    objective: &Objective,
    side: i64,
    compute: Compute,
) -> Result<(Model, u64)> {
    let encoder =
        job.optional("encoder").map(|folder| file::load(&folder.join(params.encoder_weights.encoder_file())));
    let generator = job.optional("generator").map(Trained::load).transpose()?;
    let encoder = encoder.transpose()?;
    if encoder.is_none() && generator.is_none() && objective.encoder == Start::Pretrained {
        return Err(user_error(
            "the objective starts from a pre-trained encoder, but the input `encoder` is not wired",
            "wire the input `encoder` to train_encoder.model, or use an objective with encoder = \"scratch\"",
        ));
    }
    if encoder.is_some() && objective.encoder == Start::Scratch {
        return Err(user_error(
            "the objective's encoder starts from scratch, but the input `encoder` is wired",
            "remove the input `encoder`, or use an objective with encoder = \"pretrained\"",
        ));
    }
    if let Some((weights, _)) = &encoder
        && code_size(weights) != STYLE_DIM
    {
        return Err(wrong_size(code_size(weights), "a generator"));
    }
    let nf_e = match (&encoder, &generator) {
        (Some((_, config)), _) => {
            config["nf"].as_i64().context("the encoder's weights do not contain their width")?
        }
        (None, Some(trained)) => trained.spec.nf_e,
        (None, None) => params.encoder_nf,
    };
    let spec = Spec::new(objective, side, [params.nf, nf_e], scales(params, objective, side)?);
    let model = Model::new(&spec, compute);
    model.check_side(side)?;
    let mut step = 0;
    if let Some(trained) = generator {
        check_same(&trained.spec, &spec, encoder.is_some())?;
        model.load(&trained.weights, |network| network != Network::Encoder || encoder.is_none())?;
        step = trained.step;
    }
    if let Some((weights, _)) = encoder {
        model.vars(Network::Encoder).load(&weights, "")?;
    }
    Ok((model, step))
}

fn scales(params: &Params, objective: &Objective, side: i64) -> Result<usize> {
    let (scales, allowed) = match objective.networks {
        Family::Step => (params.scales, discriminator::side_allows(side, params.scales)),
        Family::Bicyclegan => {
            let scales = params.scales.min(bicyclegan::discriminator::SCALES);
            (scales, bicyclegan::discriminator::side_allows(side, scales))
        }
    };
    if allowed {
        return Ok(scales);
    }
    Err(user_error(
        format!("images with a side of {side} pixels are too small for a discriminator with {scales} scales"),
        "lower `scales` of the stage, or raise pair_images.side",
    ))
}

/// Checks that the networks of a generator have the same structure.
fn check_same(trained: &Spec, wanted: &Spec, other_encoder: bool) -> Result<()> {
    // A separate encoder may have another width, and `variational` does not affect the weights.
    let of = |spec: &Spec| {
        let nf_e = if other_encoder { 0 } else { spec.nf_e };
        serde_json::to_value(Spec { nf_e, variational: false, ..spec.clone() })
    };
    let (found, wanted) = (of(trained)?, of(wanted)?);
    let differing = found.as_object().into_iter().flatten().filter(|(name, value)| wanted[*name] != **value);
    let named: Vec<String> =
        differing.map(|(name, value)| format!("{name} = {value} instead of {}", wanted[name])).collect();
    if named.is_empty() {
        return Ok(());
    }
    Err(user_error(
        format!(
            "the networks of the input `generator` differ from those of this stage: {}",
            named.join("; ")
        ),
        "use the same networks (of the objective), image side, nf, encoder_nf and scales in both trainings",
    ))
}

/// Checks that the batch is not larger than the set, that the schedule ends after its fixed part, and that
/// there is at least one step.
///
/// # Errors
/// Returns an error if one of these conditions is not met.
pub(super) fn check(params: &Params, pairs: &Pairs) -> Result<()> {
    let Params { batch, fixed_kimg, total_kimg, stop_kimg, .. } = params;
    if *batch > pairs.len() {
        return Err(user_error(
            format!("batch = {batch} is larger than the training set of {} images", pairs.len()),
            "lower `batch` of the stage, or use more images",
        ));
    }
    if fixed_kimg > total_kimg {
        return Err(user_error(
            format!("fixed_kimg = {fixed_kimg} is after the end of the schedule, total_kimg = {total_kimg}"),
            "raise `total_kimg` of the stage, or lower `fixed_kimg`",
        ));
    }
    if stop_kimg * 1000.0 < *batch as f64 / 2.0 {
        return Err(user_error(
            format!("stop_kimg = {stop_kimg} is less than one step of {batch} images"),
            "raise `stop_kimg` of the stage, or lower `batch`",
        ));
    }
    Ok(())
}
