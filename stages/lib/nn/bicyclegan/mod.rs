//! BicycleGAN's networks as its authors build them (Zhu et al. 2017 and their program): plain convolutions
//! with biases, instance norms without weights, xavier weights.

pub mod discriminator;
mod encoder;
mod generator;
mod layers;

pub use discriminator::Discriminator;
pub use encoder::Encoder;
pub use generator::{Generator, downsamplings_for};
