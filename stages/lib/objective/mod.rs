//! Objectives as data: networks, optimizers and losses of a training, as declared in a file in
//! `pipelines/objectives`.

mod check;
mod network;
mod term;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(crate) use check::read;
pub(crate) use network::Network;
pub(crate) use term::{Kind, Output, Term};

/// Objective of a training: its networks, their initial weights, and the loss of each optimizer.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Objective {
    /// Family of the networks.
    pub networks: Family,
    /// Initial weights of the encoder.
    pub encoder: Start,
    /// True if training draws codes from the encoder's posterior.
    pub variational: bool,
    /// Combination of an optimizer's GAN terms.
    pub gan_mean: GanMean,
    /// Decay of the learning rates.
    pub decay: Decay,
    /// Outputs that the second discriminator judges; the first judges the others.
    pub second_discriminator: BTreeSet<Output>,
    /// Optimizers by name. All gradients come from one forward pass, and all updates follow it.
    pub optimizers: BTreeMap<String, Optimizer>,
}

/// Adam optimizer of some networks.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Optimizer {
    /// Networks that it updates.
    pub updates: BTreeSet<Network>,
    /// Learning rate, before the schedule's factor is applied.
    pub learning_rate: f64,
    /// Decay rates of the first and the second moment.
    pub betas: [f64; 2],
    /// Weights of the terms that it minimises.
    pub terms: BTreeMap<Term, f64>,
}

/// Family of networks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Family {
    /// Networks of StEP.
    #[default]
    Step,
    /// Networks of BicycleGAN's authors, which are twice as wide.
    Bicyclegan,
}

/// Initial weights of the encoder.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    /// Weights trained with the triplet loss.
    Pretrained,
    /// Random weights.
    Scratch,
}

/// Combination of an optimizer's GAN terms.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GanMean {
    /// Mean of the k terms and a constant zero, as in StEP's program: their sum divided by k + 1.
    #[default]
    WithZero,
    /// Sum of the terms.
    Sum,
}

/// Decay of learning rates after `fixed_kimg`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decay {
    /// Factor `1 - (kimg - fixed) / (total - fixed + 10)`, as in StEP's program. It does not reach 0.
    #[default]
    Gradual,
    /// Factor `1 - (images - fixed) / (total - fixed)`. It reaches 0.
    Linear,
}

impl Objective {
    /// Returns true if any optimizer minimises `term`.
    pub(crate) fn has(&self, term: Term) -> bool {
        self.optimizers.values().any(|optimizer| optimizer.terms.contains_key(&term))
    }

    /// Returns true if any optimizer updates `network`.
    pub(crate) fn trains(&self, network: Network) -> bool {
        self.optimizers.values().any(|optimizer| optimizer.updates.contains(&network))
    }

    /// Returns true if contents and styles of two batches are crossed ("pair mode").
    pub(crate) fn crosses(&self) -> bool {
        Term::ALL.into_iter().any(|term| term.crosses() && self.has(term))
    }

    /// Returns true if a step needs a second batch, shuffled independently.
    pub(crate) fn takes_second_batch(&self) -> bool {
        self.crosses() || self.has(Term::SecondReal)
    }

    /// Discriminator that judges `output`.
    pub(crate) fn judge(&self, output: Output) -> Network {
        if self.second_discriminator.contains(&output) {
            Network::SecondDiscriminator
        } else {
            Network::Discriminator
        }
    }
}
