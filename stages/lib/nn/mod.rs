//! Networks of the method, built from data (widths, sides), and the tools to train them.
//!
//! Tensors are NCHW float32; images are in [-1, 1].

pub(crate) mod adam;
pub(crate) mod best;
pub(crate) mod bicyclegan;
pub(crate) mod checkpoint;
pub(crate) mod compute;
pub(crate) mod discriminator;
pub(crate) mod encoder;
pub(crate) mod file;
pub(crate) mod generator;
pub(crate) mod layers;
pub(crate) mod layout;
pub(crate) mod loss;
pub(crate) mod mapper;
pub(crate) mod schedule;
pub(crate) mod vars;
pub(crate) mod vgg;
