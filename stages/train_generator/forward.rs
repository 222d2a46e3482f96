//! Outputs of the networks for the images of a step. Each output that a term needs is computed once.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::sampler::Batch;
use crate::lib::model::{Content, Model};
use crate::lib::nn::encoder::{Posterior, STYLE_DIM};
use crate::lib::objective::{Objective, Output, Term};

/// Codes of the images B, and the posteriors that they come from if the encoder computed them.
pub(super) struct Styles {
    /// Style codes, [N, 8].
    pub z: Tensor,
    /// Posterior of the codes; none if the codes were known before the step.
    pub posterior: Option<Posterior>,
}

/// Everything that terms are computed from; lists have an entry for each batch.
pub(super) struct Outputs {
    /// Styles of the batches that outputs are computed for: both in pair mode, otherwise the first.
    pub styles: Vec<Styles>,
    /// Random codes r, shared by both batches.
    pub noise: Tensor,
    /// Images by kind, for A1 and A2 in this order; for [`Output::Swap`], these are u and v.
    pub images: BTreeMap<Output, Vec<Tensor>>,
    /// Posteriors of v and u, which should contain the styles of B1 and B2.
    pub swapped: Vec<Posterior>,
}

impl Outputs {
    /// Replaces every tensor that depends on a network by the result of `f`, in a fixed order.
    pub(super) fn map(&self, mut f: impl FnMut(&Tensor) -> Tensor) -> Self {
        let posterior = |Posterior { mean, logvar }: &Posterior, f: &mut dyn FnMut(&Tensor) -> Tensor| {
            Posterior { mean: f(mean), logvar: f(logvar) }
        };
        let styles = self.styles.iter().map(|styles| Styles {
            z: f(&styles.z),
            posterior: styles.posterior.as_ref().map(|found| posterior(found, &mut f)),
        });
        let styles = styles.collect();
        let images =
            self.images.iter().map(|(output, images)| (*output, images.iter().map(&mut f).collect()));
        let images = images.collect();
        let swapped = self.swapped.iter().map(|found| posterior(found, &mut f)).collect();
        Self { styles, noise: self.noise.shallow_clone(), images, swapped }
    }

    /// Returns the tensors that depend on a network, in the order of [`Self::map`].
    pub(super) fn tensors(&self) -> Vec<Tensor> {
        let mut all = Vec::new();
        self.map(|tensor| {
            all.push(tensor.shallow_clone());
            tensor.shallow_clone()
        });
        all
    }
}

/// Returns true if any term is computed from `output`, or needs it for another output.
fn needs(objective: &Objective, output: Output) -> bool {
    let of_output = |term: &Term| match term {
        Term::Perceptual | Term::L1 | Term::Mse => output == Output::Reconstruction,
        Term::Cycle => output == Output::Cycle,
        Term::RandomCode => output == Output::Random,
        Term::SwapCode => output == Output::Swap,
        term => term.output() == Some(output),
    };
    let any = Term::ALL.iter().any(|term| objective.has(*term) && of_output(term));
    any || (output == Output::Swap && needs(objective, Output::Cycle))
}

/// Returns the code that represents a posterior during training.
fn code(objective: &Objective, posterior: &Posterior) -> Tensor {
    if objective.variational { posterior.draw() } else { posterior.code() }
}

/// Draws r for `count` images from libtorch's generator on the CPUs, so that it is equal on all devices.
pub(super) fn noise(model: &Model, count: i64) -> Tensor {
    Tensor::randn([count, STYLE_DIM], (Kind::Float, Device::Cpu)).to_device(model.device())
}

/// Computes the outputs for `batches` and r. Codes and dropout are drawn from libtorch's generator. `known`
/// contains the codes of the images B of each batch if they are known.
pub(super) fn outputs(
    model: &Model,
    objective: &Objective,
    batches: &[Batch],
    known: Option<Vec<Tensor>>,
    noise: &Tensor,
) -> Outputs {
    let used = if objective.crosses() { batches } else { &batches[..1] };
    let encoded = |batch: &Batch| {
        let posterior = model.posterior(&batch.b);
        Styles { z: code(objective, &posterior), posterior: Some(posterior) }
    };
    let styles: Vec<Styles> = match known {
        Some(codes) => codes.into_iter().map(|z| Styles { z, posterior: None }).take(used.len()).collect(),
        None => used.iter().map(encoded).collect(),
    };
    let contents: Vec<Content> = used.iter().map(|batch| model.content(&batch.a)).collect();
    let decoded = |codes: &[&Tensor]| -> Vec<Tensor> {
        contents.iter().zip(codes).map(|(content, z)| model.decode(content, z, true)).collect()
    };
    let codes: Vec<&Tensor> = styles.iter().map(|styles| &styles.z).collect();
    let other: Vec<&Tensor> = codes.iter().rev().copied().collect();

    let mut images = BTreeMap::new();
    let mut swapped = Vec::new();
    if needs(objective, Output::Reconstruction) {
        images.insert(Output::Reconstruction, decoded(&codes));
    }
    if needs(objective, Output::Random) {
        images.insert(Output::Random, decoded(&vec![noise; contents.len()]));
    }
    if needs(objective, Output::Swap) {
        let crossed = decoded(&other);
        // v has the style of B1, and u that of B2.
        swapped = crossed.iter().rev().map(|image| model.posterior(image)).collect();
        images.insert(Output::Swap, crossed);
    }
    if needs(objective, Output::Cycle) {
        let again: Vec<Tensor> = swapped.iter().map(|posterior| code(objective, posterior)).collect();
        images.insert(Output::Cycle, decoded(&again.iter().collect::<Vec<_>>()));
    }
    Outputs { styles, noise: noise.shallow_clone(), images, swapped }
}
