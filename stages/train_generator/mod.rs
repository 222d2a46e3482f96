//! Training of a generator for an objective, with encoder, generator and discriminators in one forward pass.

mod augment;
mod forward;
mod gradients;
mod lanes;
mod loader;
mod losses;
mod optimizers;
mod params;
mod report;
mod sampler;
mod saved;
mod start;
mod targets;
#[cfg(test)]
mod tests;
mod training;
mod watch;

use anyhow::Result;
use callsheet_worker::Job;

use crate::lib::data::Pairs;
use crate::lib::leaks::warn_of_copies;
use crate::lib::model::named;
use crate::lib::nn::best::Best;
use augment::Augmentation;
use loader::Loader;
use params::Params;
use sampler::Sampler;
use training::Training;

/// Runs the stage.
///
/// # Errors
/// Returns an error if weights do not fit, or the networks do not support the images' side. Also returns an
/// error if the batch is larger than the set, a warm-up has no loss, or a loss becomes NaN.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let (objective, warm_up) = start::objectives(job.input("objective")?, &params)?;
    warn_of_copies(job, job.input("pairs")?)?;
    let pairs = Pairs::load(job.input("pairs")?, "train")?;
    start::check(&params, &pairs)?;
    let augmentation = Augmentation::new(params.crop, &params.enlarge, pairs.side(), params.seed)?;
    let two = objective.takes_second_batch();
    let mut training = Training::new(job, params, (objective, warm_up), &pairs, &augmentation)?;
    training.resume(job)?;

    let Params { batch, seed, .. } = training.params;
    let sampler = Sampler { pairs, augmentation, batch, seed, two, device: training.compute.device };
    let mut loader = Loader::new(sampler, training.step..training.steps.last);
    let began = training.step;
    while training.step < training.steps.last {
        let found = training.train(&mut loader)?;
        training.report(job, found)?;
        let Params { checkpoint_every, select_every, .. } = training.params;
        let selects = training.step.is_multiple_of(select_every);
        let saves = training.step.is_multiple_of(checkpoint_every) || training.step == training.steps.last;
        let loss = if selects || saves { training.measure(job, saves) } else { None };
        if selects {
            training.offer(loss);
        }
        if saves {
            training.save(job, loss)?;
        }
    }
    if training.step > began {
        job.info(format!("waited {:.1} % of the time for images", 100.0 * loader.waited()));
    }
    if !training.step.is_multiple_of(training.params.select_every) {
        // The weights after the last step are not offered in the checkpoint: a longer training does not evaluate there.
        training.offer(training.measure(job, false));
    }
    let Training { model, objective, step, shadows, mut best, .. } = training;
    if best.is_measured() {
        job.info(best.message("held-out images"));
    } else {
        best = Best::new(&named(&shadows));
    }
    model.save(job.output("model")?, &objective, step, (&shadows, &best), &job.request.labels)
}
