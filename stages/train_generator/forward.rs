//! Outputs of the networks for the images of a step: each output that a term needs, once.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::sampler::Batch;
use crate::lib::model::{Content, Model};
use crate::lib::nn::encoder::{Posterior, STYLE_DIM};
use crate::lib::objective::{Objective, Output, Term};

/// Codes of the images B, and what they are drawn from if the encoder was asked.
pub(super) struct Styles {
    /// [N, 8].
    pub z: Tensor,
    /// None of codes that were computed before.
    pub posterior: Option<Posterior>,
}

/// Everything that terms are computed of; lists are batch by batch.
pub(super) struct Outputs {
    /// Of the batches that outputs are made of: both in pair mode, else the first.
    pub styles: Vec<Styles>,
    /// r, shared by both batches.
    pub noise: Tensor,
    /// Images by kind: of A1 and A2 in this order, so u and v for [`Output::Swap`].
    pub images: BTreeMap<Output, Vec<Tensor>>,
    /// Posteriors of v and u, in which the styles of B1 and B2 should be found again.
    pub swapped: Vec<Posterior>,
}

impl Outputs {
    /// The outputs with every tensor that depends on a network replaced by what `f` makes of it, in a fixed order.
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

    /// The tensors that depend on a network, in the order of [`Self::map`].
    pub(super) fn tensors(&self) -> Vec<Tensor> {
        let mut all = Vec::new();
        self.map(|tensor| {
            all.push(tensor.shallow_clone());
            tensor.shallow_clone()
        });
        all
    }
}

/// Returns true if any term is of `output`, or needs it.
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

/// The code that a posterior stands for while training.
fn code(objective: &Objective, posterior: &Posterior) -> Tensor {
    if objective.variational { posterior.draw() } else { posterior.code() }
}

/// r for `count` images, from libtorch's generator on the CPUs: equal on all devices.
pub(super) fn noise(model: &Model, count: i64) -> Tensor {
    Tensor::randn([count, STYLE_DIM], (Kind::Float, Device::Cpu)).to_device(model.device())
}

/// Outputs for `batches` and r; draws codes and dropout from libtorch's generator. `known` are the codes of the
/// images B of each batch where they are known.
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
        // v carries the style of B1, u that of B2.
        swapped = crossed.iter().rev().map(|image| model.posterior(image)).collect();
        images.insert(Output::Swap, crossed);
    }
    if needs(objective, Output::Cycle) {
        let again: Vec<Tensor> = swapped.iter().map(|posterior| code(objective, posterior)).collect();
        images.insert(Output::Cycle, decoded(&again.iter().collect::<Vec<_>>()));
    }
    Outputs { styles, noise: noise.shallow_clone(), images, swapped }
}
