//! Objectives as data: what a generator is trained for, as a file of `pipelines/objectives` says.

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

/// What is trained, from where, and which optimizer minimises what.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Objective {
    /// Whose networks.
    pub networks: Family,
    /// Where the encoder starts.
    pub encoder: Start,
    /// Whether codes are drawn from the encoder's posterior.
    pub variational: bool,
    /// How an optimizer's GAN terms are added up.
    pub gan_mean: GanMean,
    /// How learning rates fall.
    pub decay: Decay,
    /// Outputs that the second discriminator judges; the first judges the others.
    pub second_discriminator: BTreeSet<Output>,
    /// By name. All gradients are those of one forward pass, and all updates are made after it.
    pub optimizers: BTreeMap<String, Optimizer>,
}

/// Adam over some networks.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Optimizer {
    /// What it changes.
    pub updates: BTreeSet<Network>,
    /// Before the schedule's factor.
    pub learning_rate: f64,
    /// Decays of the first and the second moment.
    pub betas: [f64; 2],
    /// Weights of the terms that it minimises.
    pub terms: BTreeMap<Term, f64>,
}

/// Whose networks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Family {
    /// StEP's.
    #[default]
    Step,
    /// Those of BicycleGAN's authors, twice as wide.
    Bicyclegan,
}

/// Where the encoder starts.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    /// From weights trained with the triplet loss.
    Pretrained,
    /// From random weights.
    Scratch,
}

/// How an optimizer's GAN terms are added up.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GanMean {
    /// The mean of the k terms and a constant zero, as in StEP's program: their sum by k + 1.
    #[default]
    WithZero,
    /// Their sum.
    Sum,
}

/// How learning rates fall after `fixed_kimg`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decay {
    /// By `1 - (kimg - fixed) / (total - fixed + 10)`, as in StEP's program: not to 0.
    #[default]
    Gradual,
    /// By `1 - (images - fixed) / (total - fixed)`: to 0.
    Linear,
}

impl Objective {
    /// Whether any optimizer minimises `term`.
    pub(crate) fn has(&self, term: Term) -> bool {
        self.optimizers.values().any(|optimizer| optimizer.terms.contains_key(&term))
    }

    /// Whether any optimizer updates `network`.
    pub(crate) fn trains(&self, network: Network) -> bool {
        self.optimizers.values().any(|optimizer| optimizer.updates.contains(&network))
    }

    /// Whether contents and styles of two batches are crossed ("pair mode").
    pub(crate) fn crosses(&self) -> bool {
        Term::ALL.into_iter().any(|term| term.crosses() && self.has(term))
    }

    /// Whether a step takes a second batch, shuffled independently.
    pub(crate) fn takes_second_batch(&self) -> bool {
        self.crosses() || self.has(Term::SecondReal)
    }

    /// The discriminator that judges `output`.
    pub(crate) fn judge(&self, output: Output) -> Network {
        if self.second_discriminator.contains(&output) {
            Network::SecondDiscriminator
        } else {
            Network::Discriminator
        }
    }
}
