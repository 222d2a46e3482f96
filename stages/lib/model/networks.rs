//! Networks of both families, with one type for each role.

use tch::Tensor;

use super::spec::Spec;
use crate::lib::nn::encoder::Posterior;
use crate::lib::nn::vars::Vars;
use crate::lib::nn::{bicyclegan, discriminator, encoder, generator};
use crate::lib::objective::Family;

/// Width of BicycleGAN's networks relative to StEP's (64 and 32).
const BICYCLEGAN_WIDTH: i64 = 2;

pub(super) enum AnyEncoder {
    Step(encoder::Encoder),
    Bicyclegan(bicyclegan::Encoder),
}

impl AnyEncoder {
    pub(super) fn new(vars: &mut Vars, spec: &Spec) -> Self {
        match spec.networks {
            Family::Step => Self::Step(encoder::Encoder::new(vars, spec.nf_e, encoder::STYLE_DIM)),
            Family::Bicyclegan => Self::Bicyclegan(bicyclegan::Encoder::new(vars, spec.nf_e)),
        }
    }

    /// Smallest side of an image in pixels, which is halved to one pixel.
    pub(super) fn smallest_side(&self) -> i64 {
        match self {
            Self::Step(_) => 16,
            Self::Bicyclegan(_) => 32,
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Posterior {
        match self {
            Self::Step(encoder) => encoder.forward(x),
            Self::Bicyclegan(encoder) => encoder.forward(x),
        }
    }
}

pub(super) enum AnyGenerator {
    Step(generator::Generator),
    Bicyclegan(bicyclegan::Generator),
}

pub(super) enum AnyContent {
    Step(generator::Content),
    /// Contents are the images themselves, because the U-Net uses the code from its first layer on.
    Bicyclegan(Tensor),
}

impl AnyContent {
    /// Returns `count` contents: the contents themselves if there are `count`, or a single content repeated.
    pub(super) fn repeated(&self, count: i64) -> Self {
        match self {
            Self::Step(content) => Self::Step(content.repeated(count)),
            Self::Bicyclegan(a) => Self::Bicyclegan(a.expand([count, -1, -1, -1], false)),
        }
    }
}

impl AnyGenerator {
    pub(super) fn new(vars: &mut Vars, spec: &Spec) -> Self {
        match spec.networks {
            Family::Step => Self::Step(generator::Generator::new(vars, spec.nf)),
            Family::Bicyclegan => {
                Self::Bicyclegan(bicyclegan::Generator::new(vars, spec.nf * BICYCLEGAN_WIDTH, spec.depth))
            }
        }
    }

    pub(super) fn side_multiple(&self) -> i64 {
        match self {
            Self::Step(_) => generator::SIDE_MULTIPLE,
            Self::Bicyclegan(generator) => generator.side_multiple(),
        }
    }

    pub(super) fn encode(&self, a: &Tensor) -> AnyContent {
        match self {
            Self::Step(generator) => AnyContent::Step(generator.encode(a)),
            Self::Bicyclegan(_) => AnyContent::Bicyclegan(a.shallow_clone()),
        }
    }

    pub(super) fn decode(&self, content: &AnyContent, z: &Tensor, training: bool) -> Tensor {
        match (self, content) {
            (Self::Step(generator), AnyContent::Step(content)) => generator.decode(content, z),
            (Self::Bicyclegan(generator), AnyContent::Bicyclegan(a)) => generator.forward(a, z, training),
            _ => unreachable!("contents of the other family"),
        }
    }
}

pub(super) enum AnyDiscriminator {
    Step(discriminator::Discriminator),
    Bicyclegan(bicyclegan::Discriminator),
}

impl AnyDiscriminator {
    pub(super) fn new(vars: &mut Vars, spec: &Spec) -> Self {
        match spec.networks {
            Family::Step => Self::Step(discriminator::Discriminator::new(vars, spec.nf, spec.scales)),
            Family::Bicyclegan => {
                let nf = spec.nf * BICYCLEGAN_WIDTH;
                Self::Bicyclegan(bicyclegan::Discriminator::new(vars, nf, spec.scales))
            }
        }
    }

    pub(super) fn forward(&self, image: &Tensor, a: &Tensor) -> Vec<Tensor> {
        match self {
            Self::Step(discriminator) => discriminator.forward(image, a),
            Self::Bicyclegan(discriminator) => discriminator.forward(image),
        }
    }
}
