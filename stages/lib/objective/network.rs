//! Networks that optimizers update.

use serde::{Deserialize, Serialize};

/// A network that optimizers update.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Network {
    /// Style encoder E.
    Encoder,
    /// Generator G: content encoder and decoder.
    Generator,
    /// Discriminator D.
    Discriminator,
    /// Second discriminator D2.
    SecondDiscriminator,
}

impl Network {
    /// Name of the network in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Generator => "generator",
            Self::Discriminator => "discriminator",
            Self::SecondDiscriminator => "second discriminator",
        }
    }
}
