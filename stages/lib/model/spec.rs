//! Architecture of networks.

use serde::{Deserialize, Serialize};

use crate::lib::nn::bicyclegan::downsamplings_for;
use crate::lib::objective::{Family, Network, Objective};

/// Architecture of the networks.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub(crate) struct Spec {
    /// Family of the networks.
    pub networks: Family,
    /// Width of generator and discriminators.
    pub nf: i64,
    /// Width of the encoder.
    pub nf_e: i64,
    /// Number of downsamplings of a U-Net; 0 for other networks.
    pub depth: usize,
    /// Number of scales of each discriminator.
    pub scales: usize,
    /// True if training draws codes from the posterior. After training, its mean is used.
    pub variational: bool,
    /// True if there is a second discriminator.
    pub second_discriminator: bool,
}

impl Spec {
    /// Creates the architecture of an objective's networks for images with sides of `side` pixels.
    pub(crate) fn new(objective: &Objective, side: i64, [nf, nf_e]: [i64; 2], scales: usize) -> Self {
        Self {
            networks: objective.networks,
            nf,
            nf_e,
            depth: if objective.networks == Family::Bicyclegan { downsamplings_for(side) } else { 0 },
            scales,
            variational: objective.variational,
            second_discriminator: objective.trains(Network::SecondDiscriminator),
        }
    }
}
