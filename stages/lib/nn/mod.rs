//! Networks of the method, built from data (widths, sides), and what training them needs.
//!
//! Tensors are NCHW float32; images are in [-1, 1].

pub mod adam;
pub mod bicyclegan;
pub mod checkpoint;
pub mod compute;
pub mod discriminator;
pub mod encoder;
pub mod file;
pub mod generator;
pub mod layers;
pub mod layout;
pub mod loss;
pub mod mapper;
pub mod schedule;
pub mod vars;
pub mod vgg;
