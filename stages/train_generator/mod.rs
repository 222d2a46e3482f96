//! Training of a generator for an objective: encoder, generator and discriminators of one forward pass.

mod augment;
mod forward;
mod gradients;
mod lanes;
mod loader;
mod losses;
mod optimizers;
mod params;
mod sampler;
mod start;
mod targets;
#[cfg(test)]
mod tests;
mod watch;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use crate::lib::data::Pairs;
use crate::lib::model::{AVERAGED, Model, Shadows, prefix};
use crate::lib::nn::checkpoint::{self, Course, State};
use crate::lib::nn::compute::Compute;
use crate::lib::nn::schedule::Schedule;
use crate::lib::nn::vars::{ema_pairs, update_ema};
use crate::lib::nn::vgg::Vgg;
use crate::lib::objective::{Network, Term};
use crate::lib::random::torch_seed;
use augment::Augmentation;
use callsheet_worker::{Job, refusal};
use gradients::gradients;
use lanes::Lanes;
use loader::Loader;
use losses::Networks;
use optimizers::Optimizers;
use params::Params;
use sampler::{Batch, Sampler};
use targets::Targets;
use watch::Watch;

/// Steps between two reports of the losses, as they are kept and drawn.
const REPORT_EVERY: u64 = 20;
/// A loss above this, or one that is no number, is a training that has diverged: sane ones are below 1,000.
const LARGEST_LOSS: f64 = 1e6;
/// Before the names of weighted sums among the losses.
const TOTAL: &str = "total_";
/// Images that go through the frozen encoder together.
const ENCODED: i64 = 16;

/// Runs the stage.
///
/// # Errors
/// When weights do not fit, the side suits no network, the batch is larger than the set, a warm-up has no
/// loss, or a loss is no number any more.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let (objective, warm_up) = start::objectives(job.input("objective")?, &params)?;
    let pairs = Pairs::load(job.input("pairs")?, "train")?;
    start::check(&params, &pairs)?;
    let augmentation = Augmentation::new(params.crop, &params.enlarge, pairs.side(), params.seed)?;
    let compute = Compute::choose(job, &params.device, params.precision, params.deterministic)?;
    let vgg = Vgg::load(job.input("vgg")?)?.on(compute);
    let as_stored = augmentation.is_none(pairs.side());
    let targets = if as_stored { Targets::kept(pairs.len()) } else { Targets::fleeting() };

    tch::manual_seed(params.seed);
    let (model, first_step) = start::model(job, &params, &objective, augmentation.side, compute)?;
    // What a frozen encoder says of images that never change.
    let known = (as_stored && !objective.trains(Network::Encoder) && !objective.variational)
        .then(|| model.codes(&pairs.b, ENCODED))
        .transpose()?;
    let held_out = job.input("pairs")?;
    let watch =
        Watch::new(held_out, params.held_out, augmentation.side, &model, compute).unwrap_or_else(|error| {
            job.warn(format!("held-out images are not looked at: {error:#}"));
            None
        });
    let mut optimizers = Optimizers::new(&model, &objective);
    let mut shadows = model.shadows();
    let after = |kimg: f64| first_step.saturating_add((kimg * 1000.0 / params.batch as f64).round() as u64);
    let (warm_step, last_step) = (after(params.warmup_kimg), after(params.stop_kimg));
    let Params { fixed_kimg, total_kimg, .. } = params;
    let schedule = Schedule { decay: objective.decay, fixed_kimg, total_kimg };
    let seen = |step: u64| step.saturating_mul(params.batch as u64);
    let agrees = |step: u64, course: &Value| {
        let other = Schedule::deserialize(course);
        other.is_ok_and(|other| schedule.agrees(&other, seen(step.saturating_sub(1))))
    };
    let course = Course {
        terms: serde_json::to_value(&schedule)?,
        network: serde_json::to_value(&model.spec)?,
        milestone: schedule.constant_until() / params.batch as u64 + 1,
        every: params.checkpoint_every,
    };
    let mut step = first_step;
    let expected = state(&model, &optimizers, &shadows);
    if let Some((saved_step, saved)) = checkpoint::resume(job, last_step, &expected, agrees)? {
        model.load(&saved, |_| true)?;
        optimizers.take(&saved, saved_step - if saved_step > warm_step { warm_step } else { first_step });
        for (network, shadows) in &mut shadows {
            checkpoint::restore(shadows, &saved, &averaged(*network));
        }
        step = saved_step;
    }

    let two = objective.takes_second_batch();
    let Params { batch, seed, .. } = params;
    let sampler = Sampler { pairs, augmentation, batch, seed, two, device: compute.device };
    let mut loader = Loader::new(sampler, step..last_step);
    let lanes = Lanes::new(compute.device, job.request.cpus)?;
    let (began, mut best) = (step, None);

    while step < last_step {
        if step == warm_step {
            // The squared error's gradients are of another size than those of all terms: with their
            // second moments the next dozens of updates would be several times too large.
            optimizers = Optimizers::new(&model, &objective);
        }
        let now = if step < warm_step { &warm_up } else { &objective };
        tch::manual_seed(torch_seed(params.seed, "step", step));
        let batches = loader.next()?;
        let of_rows = |batch: &Batch| {
            let rows = || Tensor::from_slice(&batch.rows).to_device(compute.device);
            known.as_ref().map(|codes| codes.index_select(0, &rows()))
        };
        let known = batches.iter().map(of_rows).collect();
        let compared = batches.iter().filter(|_| now.has(Term::Perceptual) || now.has(Term::Cycle));
        let networks = Networks { model: &model, vgg: &vgg };
        let wanted: Vec<Vec<Tensor>> = compared.map(|batch| targets.of(&lanes, networks, batch)).collect();
        let found = gradients(&lanes, networks, now, &batches, &wanted, known);
        let factor = schedule.factor(seen(step));
        optimizers.update(&lanes, &model, now, &found, |network| factor * params.rate(network));
        let pairs = shadows.iter().flat_map(|(network, shadows)| ema_pairs(shadows, model.vars(*network)));
        let sized = pairs.map(|pair| (pair.1.numel(), pair));
        lanes.each(sized.collect(), |pair| update_ema(pair, params.ema_decay));
        step += 1;

        let reported = step.is_multiple_of(REPORT_EVERY) || step == last_step;
        let terms = found.values.iter();
        let terms = terms.map(|(term, value)| (term.name().to_owned(), &value.sum / value.count as f64));
        let totals = found.totals.into_iter().map(|(name, total)| (format!("{TOTAL}{name}"), total));
        for (name, value) in terms.chain(totals) {
            let value = value.double_value(&[]);
            let largest = if name.starts_with(TOTAL) { f64::MAX } else { LARGEST_LOSS };
            if value.is_nan() || value.abs() > largest {
                return Err(diverged(job, &name, value, step));
            }
            if reported {
                job.metric(&format!("loss/{name}"), step, value);
            }
        }
        let images = |steps: u64| seen(steps) as usize;
        job.progress(images(step - first_step), images(last_step - first_step), "images");
        if step.is_multiple_of(params.checkpoint_every) || step == last_step {
            let state = state(&model, &optimizers, &shadows);
            let look = |watch: &Watch| watch.look(job, step, &shadows, &vgg);
            let seen = watch.as_ref().map(|watch| lanes.with_all_cpus(|| look(watch))).transpose();
            let loss = seen.unwrap_or_else(|error| {
                job.warn(format!("held-out images cannot be shown: {error:#}"));
                None
            });
            best = checkpoint::save(job, step, &state, &course, loss)?;
        }
    }
    if step > began {
        job.info(format!("waited {:.1} % of the time for images", 100.0 * loader.waited()));
    }
    if let Some(best) = best {
        job.info(format!("the best checkpoint by held-out images is {}", best.display()));
    }
    model.save(job.output("model")?, &objective, step, &shadows, &job.request.labels)
}

fn diverged(job: &Job, name: &str, value: f64, step: u64) -> anyhow::Error {
    let scratch = job.request.scratch.display();
    let help =
        format!("set the stage's rates lower, which begins anew; checkpoints from before are in {scratch}");
    refusal(format!("training diverged: the loss {name} is {value} at step {step}"), help)
}

/// Everything that the next step depends on.
fn state(model: &Model, optimizers: &Optimizers, shadows: &Shadows) -> State {
    let mut all = model.tensors();
    optimizers.put(&mut all);
    for (network, shadows) in shadows {
        checkpoint::put(&mut all, &averaged(*network), shadows);
    }
    all
}

/// Before the names of averaged weights in a checkpoint.
fn averaged(network: Network) -> String {
    format!("{AVERAGED}{}", prefix(network))
}

impl Params {
    /// Factor on the learning rates of what updates a network.
    fn rate(&self, network: Network) -> f64 {
        match network {
            Network::Generator => self.generator_rate,
            Network::Encoder => self.encoder_rate,
            Network::Discriminator | Network::SecondDiscriminator => self.discriminator_rate,
        }
    }
}
