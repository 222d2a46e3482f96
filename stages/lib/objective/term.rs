//! Terms of losses, under the names that objectives use.

use serde::{Deserialize, Serialize};

use super::network::Network;

/// Output of a generator for contents A with styles B. u = G(A1, E(B2)) and v = G(A2, E(B1)) exchange the
/// styles of two batches.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Output {
    /// G(A, E(B)).
    Reconstruction,
    /// G(A, r), r ~ N(0, I).
    Random,
    /// u and v.
    Swap,
    /// G(A1, E(v)) and G(A2, E(u)).
    Cycle,
}

/// Term of a loss. If a step uses two batches, it is the sum over both; GAN terms are counted one by one.
///
/// S is the least-squares loss of a generator, F that of a discriminator for a generated image. Each is
/// summed over the discriminator's scales. P is the perceptual loss.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Term {
    /// P(G(A, E(B)), B).
    Perceptual,
    /// Mean absolute difference of G(A, E(B)) and B.
    L1,
    /// Mean squared difference of G(A, E(B)) and B.
    Mse,
    /// P(G(A1, E(v)), B1) + P(G(A2, E(u)), B2).
    Cycle,
    /// KL divergence of the posterior from N(0, I), summed over batch and dimensions.
    Kl,
    /// Mean square of the codes E(B).
    CodeL2,
    /// mean |E(G(A, r)) - r|. E is the mean of a variational encoder.
    RandomCode,
    /// mean |E(v) - E(B1)| + mean |E(u) - E(B2)|. E(v) and E(u) are the means of a variational encoder.
    SwapCode,
    /// S(G(A, E(B))).
    GanReconstruction,
    /// S(G(A, r)).
    GanRandom,
    /// S(u) + S(v).
    GanSwap,
    /// S of both cycle outputs.
    GanCycle,
    /// S(B) of the discriminator.
    Real,
    /// S(B) of the second discriminator, for the second batch.
    SecondReal,
    /// F(G(A, E(B))).
    FakeReconstruction,
    /// F(G(A, r)).
    FakeRandom,
    /// F(u) + F(v).
    FakeSwap,
    /// F of both cycle outputs.
    FakeCycle,
}

/// Group of a term in the sum of an optimizer's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Term that is not a GAN term.
    Plain,
    /// GAN term of the generator.
    Gan,
    /// GAN term of a discriminator for real images.
    Real,
    /// GAN term of a discriminator for generated images.
    Fake,
}

impl Term {
    /// All terms in the order of their definition.
    pub(crate) const ALL: [Self; 18] = [
        Self::Perceptual,
        Self::L1,
        Self::Mse,
        Self::Cycle,
        Self::Kl,
        Self::CodeL2,
        Self::RandomCode,
        Self::SwapCode,
        Self::GanReconstruction,
        Self::GanRandom,
        Self::GanSwap,
        Self::GanCycle,
        Self::Real,
        Self::SecondReal,
        Self::FakeReconstruction,
        Self::FakeRandom,
        Self::FakeSwap,
        Self::FakeCycle,
    ];

    /// Name of the term in objectives and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Perceptual => "perceptual",
            Self::L1 => "l1",
            Self::Mse => "mse",
            Self::Cycle => "cycle",
            Self::Kl => "kl",
            Self::CodeL2 => "code_l2",
            Self::RandomCode => "random_code",
            Self::SwapCode => "swap_code",
            Self::GanReconstruction => "gan_reconstruction",
            Self::GanRandom => "gan_random",
            Self::GanSwap => "gan_swap",
            Self::GanCycle => "gan_cycle",
            Self::Real => "real",
            Self::SecondReal => "second_real",
            Self::FakeReconstruction => "fake_reconstruction",
            Self::FakeRandom => "fake_random",
            Self::FakeSwap => "fake_swap",
            Self::FakeCycle => "fake_cycle",
        }
    }

    /// Group of the term.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::GanReconstruction | Self::GanRandom | Self::GanSwap | Self::GanCycle => Kind::Gan,
            Self::Real | Self::SecondReal => Kind::Real,
            Self::FakeReconstruction | Self::FakeRandom | Self::FakeSwap | Self::FakeCycle => Kind::Fake,
            _ => Kind::Plain,
        }
    }

    /// Output to which a GAN term belongs.
    pub(crate) fn output(self) -> Option<Output> {
        match self {
            Self::GanReconstruction | Self::FakeReconstruction => Some(Output::Reconstruction),
            Self::GanRandom | Self::FakeRandom => Some(Output::Random),
            Self::GanSwap | Self::FakeSwap => Some(Output::Swap),
            Self::GanCycle | Self::FakeCycle => Some(Output::Cycle),
            _ => None,
        }
    }

    /// Returns true if the term combines contents and styles of two batches.
    pub(crate) fn crosses(self) -> bool {
        let crossed = [Output::Swap, Output::Cycle];
        matches!(self, Self::Cycle | Self::SwapCode) || self.output().is_some_and(|o| crossed.contains(&o))
    }

    /// Returns true if `network` learns from the term: the term depends on its weights, and training uses
    /// that gradient. A discriminator learns only from its own terms.
    pub(crate) fn reaches(self, network: Network) -> bool {
        let judges = matches!(self.kind(), Kind::Real | Kind::Fake);
        match network {
            Network::Discriminator => judges && self != Self::SecondReal,
            Network::SecondDiscriminator => judges && self != Self::Real,
            Network::Generator => !judges && !matches!(self, Self::Kl | Self::CodeL2),
            Network::Encoder => !judges && self != Self::GanRandom,
        }
    }
}
