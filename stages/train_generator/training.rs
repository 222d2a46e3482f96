//! State of a training, and one step of it.

use anyhow::Result;
use callsheet_worker::Job;
use tch::Tensor;

use super::augment::Augmentation;
use super::gradients::{Gradients, gradients};
use super::lanes::Lanes;
use super::loader::Loader;
use super::losses::Networks;
use super::optimizers::Optimizers;
use super::params::Params;
use super::sampler::Batch;
use super::start;
use super::targets::Targets;
use super::watch::Watch;
use crate::lib::data::Pairs;
use crate::lib::model::{EmaWeights, Model, named};
use crate::lib::nn::best::Best;
use crate::lib::nn::compute::Compute;
use crate::lib::nn::schedule::Schedule;
use crate::lib::nn::vars::{ema_pairs, update_ema};
use crate::lib::nn::vgg::Vgg;
use crate::lib::objective::{Network, Objective, Term};
use crate::lib::random::torch_seed;

/// Number of images that go through the frozen encoder together.
const ENCODED: i64 = 16;

/// Networks with their optimizers, and everything else that a step needs.
pub(super) struct Training {
    pub(super) params: Params,
    pub(super) objective: Objective,
    /// Objective of the steps before [`Steps::warm`].
    warm_up: Objective,
    pub(super) compute: Compute,
    pub(super) vgg: Vgg,
    pub(super) model: Model,
    pub(super) optimizers: Optimizers,
    /// Moving averages of the weights.
    pub(super) shadows: EmaWeights,
    /// Averages with the lowest loss on held-out images.
    pub(super) best: Best,
    targets: Targets,
    /// Codes of all training images; none unless the encoder is frozen and images are not augmented.
    known: Option<Tensor>,
    /// None if the held-out images cannot be read.
    pub(super) watch: Option<Watch>,
    pub(super) schedule: Schedule,
    pub(super) lanes: Lanes,
    pub(super) steps: Steps,
    /// Number of steps done, including those of the initial generator.
    pub(super) step: u64,
}

/// Steps at which the phases of a training begin and end.
pub(super) struct Steps {
    /// Number of steps for which the initial weights were trained.
    pub(super) first: u64,
    /// Last step of the warm-up.
    pub(super) warm: u64,
    /// Last step.
    pub(super) last: u64,
}

impl Training {
    /// Sets up a training without training a step.
    ///
    /// # Errors
    /// Returns an error if weights do not fit, or the device is missing.
    pub(super) fn new(
        job: &Job,
        params: Params,
        (objective, warm_up): (Objective, Objective),
        pairs: &Pairs,
        augmentation: &Augmentation,
    ) -> Result<Self> {
        let compute = Compute::choose(job, &params.device, params.precision, params.deterministic)?;
        let vgg = Vgg::load(job.input("vgg")?)?.on(compute);
        let as_stored = augmentation.is_none(pairs.side());
        tch::manual_seed(params.seed);
        let (model, first) = start::model(job, &params, &objective, augmentation.side, compute)?;
        let known = (as_stored && !objective.trains(Network::Encoder) && !objective.variational)
            .then(|| model.codes(&pairs.b, ENCODED))
            .transpose()?;
        let held_out = job.input("pairs")?;
        let watch = Watch::new(held_out, params.select_images, augmentation.side, &model, compute);
        let watch = watch.unwrap_or_else(|error| {
            job.warn(format!("held-out images are not evaluated: {error:#}"));
            None
        });
        let after = |kimg: f64| first.saturating_add((kimg * 1000.0 / params.batch as f64).round() as u64);
        let steps = Steps { first, warm: after(params.warmup_kimg), last: after(params.stop_kimg) };
        let Params { fixed_kimg, total_kimg, .. } = params;
        let schedule = Schedule { decay: objective.decay, fixed_kimg, total_kimg };
        Ok(Self {
            optimizers: Optimizers::new(&model, &objective),
            best: Best::new(&named(&model.shadows())),
            shadows: model.shadows(),
            targets: if as_stored { Targets::kept(pairs.len()) } else { Targets::fleeting() },
            lanes: Lanes::new(compute.device, job.request.cpus)?,
            step: first,
            params,
            objective,
            warm_up,
            compute,
            vgg,
            model,
            known,
            watch,
            schedule,
            steps,
        })
    }

    /// Returns the number of images seen after `steps`.
    pub(super) fn images(&self, steps: u64) -> u64 {
        steps.saturating_mul(self.params.batch as u64)
    }

    /// Trains one step. Returns its losses and gradients.
    ///
    /// # Errors
    /// Returns an error if images cannot be read.
    pub(super) fn train(&mut self, loader: &mut Loader) -> Result<Gradients> {
        if self.step == self.steps.warm {
            // The gradients of the squared error differ in size from those of all terms. With their second
            // moments, the next dozens of updates would be several times too large.
            self.optimizers = Optimizers::new(&self.model, &self.objective);
        }
        let now = if self.step < self.steps.warm { &self.warm_up } else { &self.objective };
        tch::manual_seed(torch_seed(self.params.seed, "step", self.step));
        let batches = loader.next()?;
        let known = batches.iter().map(|batch| self.known_codes(batch)).collect();
        let compared = batches.iter().filter(|_| now.has(Term::Perceptual) || now.has(Term::Cycle));
        let networks = Networks { model: &self.model, vgg: &self.vgg };
        let wanted: Vec<Vec<Tensor>> =
            compared.map(|batch| self.targets.of(&self.lanes, networks, batch)).collect();
        let found = gradients(&self.lanes, networks, now, &batches, &wanted, known);
        let factor = self.schedule.factor(self.images(self.step));
        let rate = |network| factor * self.params.rate(network);
        self.optimizers.update(&self.lanes, &self.model, now, &found, rate);
        let averages = self.shadows.iter();
        let pairs = averages.flat_map(|(network, shadows)| ema_pairs(shadows, self.model.vars(*network)));
        let sized = pairs.map(|pair| (pair.1.numel(), pair));
        self.lanes.each(sized.collect(), |pair| update_ema(pair, self.params.ema_decay));
        self.step += 1;
        Ok(found)
    }

    fn known_codes(&self, batch: &Batch) -> Option<Tensor> {
        let rows = || Tensor::from_slice(&batch.rows).to_device(self.compute.device);
        self.known.as_ref().map(|codes| codes.index_select(0, &rows()))
    }
}

impl Params {
    /// Factor on the learning rates of the optimizers that update a network.
    fn rate(&self, network: Network) -> f64 {
        match network {
            Network::Generator => self.generator_rate,
            Network::Encoder => self.encoder_rate,
            Network::Discriminator | Network::SecondDiscriminator => self.discriminator_rate,
        }
    }
}
