//! Encoder, generator and discriminators with their weights. They are built from data and stored in files.

mod files;
mod networks;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::Result;
use tch::{Device, Tensor, no_grad};

use crate::lib::data::{normalised, quantised};
use crate::lib::nn::compute::Compute;
use crate::lib::nn::encoder::Posterior;
use crate::lib::nn::vars::Vars;
use crate::lib::objective::Network;
use callsheet_worker::user_error;
pub(crate) use files::{AVERAGED, Chosen, Trained, Weights, named, prefix};
use networks::{AnyContent, AnyDiscriminator, AnyEncoder, AnyGenerator};
pub(crate) use spec::Spec;

/// Averages of weights, by network and name.
pub(crate) type EmaWeights = BTreeMap<Network, BTreeMap<String, Tensor>>;

/// Networks whose weights are averaged, and which are used after training.
pub(crate) const USED: [Network; 2] = [Network::Encoder, Network::Generator];

/// Networks of the method, with their weights.
pub(crate) struct Model {
    /// Architecture of the networks.
    pub spec: Spec,
    encoder: AnyEncoder,
    generator: AnyGenerator,
    discriminators: BTreeMap<Network, AnyDiscriminator>,
    vars: BTreeMap<Network, Vars>,
}

/// Input of a generator that depends on contents, but not on their style.
pub(crate) struct Content(AnyContent);

impl Model {
    /// Creates networks with new weights from libtorch's generator, which the caller seeds.
    pub(crate) fn new(spec: &Spec, compute: Compute) -> Self {
        let mut vars = BTreeMap::new();
        let new = || Vars::on(compute);
        let encoder = AnyEncoder::new(vars.entry(Network::Encoder).or_insert_with(new), spec);
        let generator = AnyGenerator::new(vars.entry(Network::Generator).or_insert_with(new), spec);
        let mut discriminators = BTreeMap::new();
        let second = spec.second_discriminator.then_some(Network::SecondDiscriminator);
        for network in [Network::Discriminator].into_iter().chain(second) {
            let discriminator = AnyDiscriminator::new(vars.entry(network).or_insert_with(new), spec);
            discriminators.insert(network, discriminator);
        }
        Self { spec: spec.clone(), encoder, generator, discriminators, vars }
    }

    /// Device of the computations, on which inputs must be.
    pub(crate) fn device(&self) -> Device {
        self.vars(Network::Generator).compute().device
    }

    /// Weights of a network.
    ///
    /// # Panics
    /// Panics if the network is a second discriminator, but the spec has none.
    pub(crate) fn vars(&self, network: Network) -> &Vars {
        &self.vars[&network]
    }

    /// Posterior of the style codes of images [N, 3, H, W] in [-1, 1].
    pub(crate) fn posterior(&self, images: &Tensor) -> Posterior {
        self.encoder.forward(images)
    }

    /// Checks that E and G can process images with sides of `side` pixels.
    ///
    /// # Errors
    /// Returns an error if E would halve `side` to less than one pixel, or `side` is not a multiple of 8 (of
    /// 2^depth for a U-Net).
    pub(crate) fn check_side(&self, side: i64) -> Result<()> {
        let [multiple, smallest] = self.sides();
        if side % multiple == 0 && side >= smallest {
            return Ok(());
        }
        let least =
            if smallest > multiple { format!(" and at least {smallest} pixels") } else { String::new() };
        Err(user_error(
            format!("sides of images must be multiples of {multiple} pixels{least}, but the side is {side}"),
            "change `crop` of the stage, or pair_images.side",
        ))
    }

    /// Computes the input of G for contents `a` [N, 3, H, W] in [-1, 1].
    pub(crate) fn content(&self, a: &Tensor) -> Content {
        Content(self.generator.encode(a))
    }

    /// Generates images [N, 3, H, W] in (-1, 1) from contents and codes [N, 8].
    pub(crate) fn decode(&self, content: &Content, z: &Tensor, training: bool) -> Tensor {
        self.generator.decode(&content.0, z, training)
    }

    /// Logits of images from `discriminator`, one tensor per scale.
    ///
    /// # Panics
    /// Panics if the network is a second discriminator, but the spec has none.
    pub(crate) fn judge(&self, discriminator: Network, image: &Tensor, a: &Tensor) -> Vec<Tensor> {
        self.discriminators[&discriminator].forward(image, a)
    }

    /// Computes the codes [N, 8] of images [N, 3, H, W] in 0..255, in batches and without gradients. A
    /// variational encoder's codes are its means.
    ///
    /// # Errors
    /// Returns an error if [`Self::check_side`] does, because codes are used to generate images of the same
    /// size.
    pub(crate) fn codes(&self, images: &Tensor, batch: i64) -> Result<Tensor> {
        self.check_side(images.size()[2])?;
        let code = |part: &Tensor| {
            let posterior = self.posterior(&normalised(&part.to_device(self.device())));
            if self.spec.variational { posterior.mean } else { posterior.code() }
        };
        Ok(no_grad(|| Tensor::cat(&images.split(batch, 0).iter().map(code).collect::<Vec<_>>(), 0)))
    }

    /// Constraints on sides of images: a side must be a multiple of the first number, and at least the
    /// second.
    pub(crate) fn sides(&self) -> [i64; 2] {
        [self.generator.side_multiple(), self.encoder.smallest_side()]
    }

    /// Computes the input of G for contents `a` [N, 3, H, W] in 0..255, without gradients.
    pub(crate) fn content_of_bytes(&self, a: &Tensor) -> Content {
        no_grad(|| self.content(&normalised(&a.to_device(self.device()))))
    }

    /// Generates images from contents and codes [N, 8]: one content per code, or one content for all codes.
    /// Returns bytes [N, 3, H, W], quantised as in saved images.
    pub(crate) fn output_of(&self, content: &Content, codes: &Tensor) -> Tensor {
        let content = Content(content.0.repeated(codes.size()[0]));
        let output = no_grad(|| self.decode(&content, &codes.to_device(self.device()), false));
        quantised(&output).to_device(Device::Cpu)
    }

    /// Generates images in batches from contents `a` [N, 3, H, W] in 0..255 and codes [N, 8]: one content per
    /// code, or one content for all codes. Returns bytes, quantised as in saved images.
    ///
    /// # Panics
    /// Panics if there are several contents, but not one for each code.
    pub(crate) fn outputs(&self, a: &Tensor, codes: &Tensor, batch: i64) -> Tensor {
        let count = a.size()[0];
        assert!(count == 1 || count == codes.size()[0], "{count} contents, {} codes", codes.size()[0]);
        let codes = codes.split(batch, 0).into_iter();
        let parts: Vec<Tensor> = if count == 1 {
            let content = self.content_of_bytes(a);
            codes.map(|z| self.output_of(&content, &z)).collect()
        } else {
            let contents = a.split(batch, 0).into_iter().map(|part| self.content_of_bytes(&part));
            contents.zip(codes).map(|(content, z)| self.output_of(&content, &z)).collect()
        };
        Tensor::cat(&parts, 0)
    }

    /// Returns initial averages, which are copies of the current weights.
    pub(crate) fn shadows(&self) -> EmaWeights {
        USED.into_iter().map(|network| (network, self.vars(network).copies())).collect()
    }
}
