//! Terms of an objective, and the total that each optimizer minimises.

use std::collections::BTreeMap;

use tch::{Tensor, no_grad};

use super::forward::Outputs;
use super::sampler::Batch;
use crate::lib::model::Model;
use crate::lib::nn::encoder::Posterior;
use crate::lib::nn::loss;
use crate::lib::nn::vgg::Vgg;
use crate::lib::objective::{GanMean, Kind, Network, Objective, Optimizer, Output, Term};

/// Value of a term: a sum over batches, and the number of addends.
pub(super) struct Value {
    /// Unweighted sum.
    pub sum: Tensor,
    /// Number of addends.
    pub count: usize,
}

impl Value {
    fn of(parts: Vec<Tensor>) -> Self {
        let count = parts.len();
        Self { sum: parts.into_iter().sum(), count }
    }
}

/// Networks that losses are computed with.
#[derive(Clone, Copy)]
pub(super) struct Networks<'a> {
    /// Trained networks.
    pub model: &'a Model,
    /// Network of the perceptual loss.
    pub vgg: &'a Vgg,
}

// Lanes read the weights in parallel. libtorch allows that: reference counts are atomic, and autograd's data
// of a weight are locked. Weights are written only after all lanes are done.
#[expect(
    unsafe_code,
    reason = "tch does not mark tensors Sync, because some methods write through a shared reference"
)]
unsafe impl Sync for Networks<'_> {}

impl Networks<'_> {
    /// Computes VGG's features of images without a graph, so that no gradient passes through them.
    pub(super) fn features(&self, images: &Tensor) -> Vec<Tensor> {
        no_grad(|| self.vgg.taps(images))
    }
}

/// Computes the values of `terms`; `wanted` contains VGG's features of each batch's B.
pub(super) fn values(
    Networks { model, vgg }: Networks,
    objective: &Objective,
    terms: &[Term],
    batches: &[Batch],
    wanted: &[Vec<Tensor>],
    outputs: &Outputs,
) -> BTreeMap<Term, Value> {
    let judged = judged(model, objective, terms, batches, outputs);
    let images = |output: Output| outputs.images[&output].iter();
    let perceptual = |output: Output| -> Vec<Tensor> {
        let pairs = images(output).zip(wanted);
        pairs.map(|(y, wanted)| loss::perceptual(&vgg.taps(y), wanted)).collect()
    };
    let variational = objective.variational;
    let found = |posterior: &Posterior| {
        if variational { posterior.mean.shallow_clone() } else { posterior.code() }
    };
    let styles = || outputs.styles.iter();
    let real =
        |judge: Network, batch: &Batch| loss::least_squares(&model.judge(judge, &batch.b, &batch.a), 1.0);
    let value = |term: Term| match term {
        Term::Perceptual => perceptual(Output::Reconstruction),
        Term::L1 => {
            images(Output::Reconstruction).zip(batches).map(|(y, batch)| loss::l1(y, &batch.b)).collect()
        }
        Term::Mse => {
            let pairs = images(Output::Reconstruction).zip(batches);
            pairs.map(|(y, batch)| loss::squared_error(y, &batch.b)).collect()
        }
        Term::Cycle => perceptual(Output::Cycle),
        Term::Kl => styles().filter_map(|s| s.posterior.as_ref()).map(loss::divergence).collect(),
        Term::CodeL2 => styles().map(|s| loss::code_energy(&s.z)).collect(),
        Term::RandomCode => images(Output::Random)
            .map(|image| loss::l1(&found(&model.posterior(image)), &outputs.noise))
            .collect(),
        Term::SwapCode => {
            outputs.swapped.iter().zip(styles()).map(|(s, own)| loss::l1(&found(s), &own.z)).collect()
        }
        Term::Real => {
            let used = &batches[..outputs.styles.len()];
            used.iter().map(|batch| real(Network::Discriminator, batch)).collect()
        }
        Term::SecondReal => {
            batches.iter().skip(1).map(|batch| real(Network::SecondDiscriminator, batch)).collect()
        }
        gan => {
            let target = if gan.kind() == Kind::Gan { 1.0 } else { 0.0 };
            let logits = gan.output().and_then(|output| judged.get(&output));
            logits.into_iter().flatten().map(|logits| loss::least_squares(logits, target)).collect()
        }
    };
    terms.iter().map(|term| (*term, Value::of(value(*term)))).collect()
}

/// Computes the logits of all outputs that a term needs, once for generator and discriminator.
fn judged(
    model: &Model,
    objective: &Objective,
    terms: &[Term],
    batches: &[Batch],
    outputs: &Outputs,
) -> BTreeMap<Output, Vec<Vec<Tensor>>> {
    let asked = |output: &Output| terms.iter().any(|term| term.output() == Some(*output));
    let of = |(output, images): (&Output, &Vec<Tensor>)| {
        let judge = objective.judge(*output);
        let each = images.iter().zip(batches).map(|(image, batch)| model.judge(judge, image, &batch.a));
        (*output, each.collect())
    };
    outputs.images.iter().filter(|(output, _)| asked(output)).map(of).collect()
}

/// Returns the number of addends of a term, if a step has `batches` and computes outputs for the first `used`
/// of them.
pub(super) fn addends(term: Term, batches: usize, used: usize) -> usize {
    if term == Term::SecondReal { batches - 1 } else { used }
}

/// Returns the factors of an optimizer's terms in the total that it minimises. These are the weights of the
/// terms; for GAN terms, they are averaged as the objective declares.
pub(super) fn factors(
    optimizer: &Optimizer,
    gan_mean: GanMean,
    count: impl Fn(Term) -> usize,
) -> BTreeMap<Term, f64> {
    let factor = |(term, weight): (&Term, &f64)| {
        let kind = term.kind();
        let averaged = kind != Kind::Plain && gan_mean == GanMean::WithZero;
        let alike = optimizer.terms.keys().filter(|term| term.kind() == kind);
        let addends = if averaged { alike.map(|term| count(*term)).sum::<usize>() + 1 } else { 1 };
        (*term, weight / addends as f64)
    };
    optimizer.terms.iter().map(factor).collect()
}

/// Computes the total that an optimizer minimises.
pub(super) fn total(optimizer: &Optimizer, gan_mean: GanMean, values: &BTreeMap<Term, Value>) -> Tensor {
    let factors = factors(optimizer, gan_mean, |term| values[&term].count);
    factors.iter().map(|(term, factor)| &values[term].sum * *factor).sum()
}
