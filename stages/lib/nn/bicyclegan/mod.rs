//! BicycleGAN's networks as its authors build them (Zhu et al. 2017 and their program): plain convolutions
//! with biases, instance norms without weights, xavier weights.

pub(crate) mod discriminator;
mod encoder;
mod generator;
mod layers;

pub(crate) use discriminator::Discriminator;
pub(crate) use encoder::Encoder;
pub(crate) use generator::{Generator, downsamplings_for};
