//! Networks of BicycleGAN as in its authors' program (Zhu et al. 2017): plain convolutions with biases,
//! instance norms without weights, xavier weights.

pub(crate) mod discriminator;
mod encoder;
mod generator;
mod layers;

pub(crate) use discriminator::Discriminator;
pub(crate) use encoder::Encoder;
pub(crate) use generator::{Generator, downsamplings_for};
