//! Encoder, generator and discriminators with their weights: built from data, kept in files.

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
use callsheet_worker::refusal;
pub(crate) use files::{AVERAGED, Trained, prefix};
use networks::{AnyContent, AnyDiscriminator, AnyEncoder, AnyGenerator};
pub(crate) use spec::Spec;

/// Averages of weights, by network and name.
pub(crate) type Shadows = BTreeMap<Network, BTreeMap<String, Tensor>>;

/// Networks that are averaged, and used when training is over.
pub(crate) const USED: [Network; 2] = [Network::Encoder, Network::Generator];

/// The networks.
pub(crate) struct Model {
    /// Their architecture.
    pub spec: Spec,
    encoder: AnyEncoder,
    generator: AnyGenerator,
    discriminators: BTreeMap<Network, AnyDiscriminator>,
    vars: BTreeMap<Network, Vars>,
}

/// Input of a generator that depends on contents alone, whatever their style.
pub(crate) struct Content(AnyContent);

impl Model {
    /// Networks with new weights from libtorch's generator, which the caller seeds.
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

    /// Device that it computes on; its inputs must be there.
    pub(crate) fn device(&self) -> Device {
        self.vars(Network::Generator).compute().device
    }

    /// The weights of a network.
    ///
    /// # Panics
    /// When it is a second discriminator and the spec has none.
    pub(crate) fn vars(&self, network: Network) -> &Vars {
        &self.vars[&network]
    }

    /// E of images [N, 3, H, W] in [-1, 1].
    pub(crate) fn posterior(&self, images: &Tensor) -> Posterior {
        self.encoder.forward(images)
    }

    /// Refuses images that E or G cannot halve as often as they do.
    ///
    /// # Errors
    /// When `side` is no multiple of 8, or of a U-Net's 2^depth, or less than E halves away.
    pub(crate) fn check_side(&self, side: i64) -> Result<()> {
        let [multiple, smallest] = self.sides();
        if side % multiple == 0 && side >= smallest {
            return Ok(());
        }
        Err(refusal(
            format!(
                "the model takes sides of {smallest} pixels at least, and multiples of {multiple}, not {side}"
            ),
            "set the stage's crop, or pair_images.side, to such a side",
        ))
    }

    /// Input of G for contents `a` [N, 3, H, W] in [-1, 1].
    pub(crate) fn content(&self, a: &Tensor) -> Content {
        Content(self.generator.encode(a))
    }

    /// G of contents and codes [N, 8] -> [N, 3, H, W] in (-1, 1).
    pub(crate) fn decode(&self, content: &Content, z: &Tensor, training: bool) -> Tensor {
        self.generator.decode(&content.0, z, training)
    }

    /// Logits of images by `discriminator`, scale by scale.
    ///
    /// # Panics
    /// When it is a second discriminator and the spec has none.
    pub(crate) fn judge(&self, discriminator: Network, image: &Tensor, a: &Tensor) -> Vec<Tensor> {
        self.discriminators[&discriminator].forward(image, a)
    }

    /// Codes of images [N, 3, H, W] in 0..255 for use: [N, 8] without gradients, in batches.
    ///
    /// # Errors
    /// As of [`Self::check_side`]: who asks for codes will ask for outputs of the same size.
    pub(crate) fn codes(&self, images: &Tensor, batch: i64) -> Result<Tensor> {
        self.check_side(images.size()[2])?;
        let code = |part: &Tensor| {
            let posterior = self.posterior(&normalised(&part.to_device(self.device())));
            if self.spec.variational { posterior.mean } else { posterior.code() }
        };
        Ok(no_grad(|| Tensor::cat(&images.split(batch, 0).iter().map(code).collect::<Vec<_>>(), 0)))
    }

    /// A side must be a multiple of the first, and as long as the second at least.
    pub(crate) fn sides(&self) -> [i64; 2] {
        [self.generator.side_multiple(), self.encoder.smallest_side()]
    }

    /// Input of G for contents `a` [N, 3, H, W] in 0..255, without gradients.
    pub(crate) fn content_of_bytes(&self, a: &Tensor) -> Content {
        no_grad(|| self.content(&normalised(&a.to_device(self.device()))))
    }

    /// G's outputs for as many contents as codes [N, 8], or for one content under all of them: bytes [N, 3, H, W], as
    /// they would be saved.
    pub(crate) fn output_of(&self, content: &Content, codes: &Tensor) -> Tensor {
        let content = Content(content.0.repeated(codes.size()[0]));
        let output = no_grad(|| self.decode(&content, &codes.to_device(self.device()), false));
        quantised(&output).to_device(Device::Cpu)
    }

    /// G's outputs for contents `a` [N, 3, H, W] in 0..255 and codes [N, 8], or for one content under all codes: bytes,
    /// as they would be saved, made in batches.
    ///
    /// # Panics
    /// When there are several contents, and not as many as codes.
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

    /// Averages that start from the weights as they are.
    pub(crate) fn shadows(&self) -> Shadows {
        USED.into_iter().map(|network| (network, self.vars(network).copies())).collect()
    }
}
