//! Files of a trained model. `networks.safetensors` has all weights, `averaged.safetensors` the averaged weights after the
//! last step, and `best.safetensors` the averaged weights with the lowest loss on held-out images. All, and `config.json`,
//! contain the architecture of the networks.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::user_error;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::Tensor;

use super::{EmaWeights, Model, Spec, USED};
use crate::lib::nn::best::Best;
use crate::lib::nn::checkpoint::NETWORK;
use crate::lib::nn::compute::Compute;
use crate::lib::nn::{checkpoint, file};
use crate::lib::objective::{Network, Objective};

/// Prefix of the names of a network's weights.
pub(crate) fn prefix(network: Network) -> &'static str {
    match network {
        Network::Encoder => "e.",
        Network::Generator => "g.",
        Network::Discriminator => "d.",
        Network::SecondDiscriminator => "d2.",
    }
}

/// Prefix of the names of averaged weights in a checkpoint, followed by the names of the weights.
pub(crate) const AVERAGED: &str = "average.";

/// Weights of a trained model that other stages use.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Weights {
    /// Averaged weights after the last step.
    Last,
    /// Averaged weights with the lowest loss on held-out images.
    Best,
}

impl Weights {
    /// File in the folder of a model.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Last => "averaged.safetensors",
            Self::Best => "best.safetensors",
        }
    }

    /// File in the folder of a pre-trained encoder.
    pub(crate) fn encoder_file(self) -> &'static str {
        match self {
            Self::Last => "encoder.safetensors",
            Self::Best => "best.safetensors",
        }
    }
}

/// Parameter of stages that use a trained model.
#[derive(Deserialize)]
pub(crate) struct Chosen {
    /// Weights to use.
    pub weights: Weights,
}

/// Averaged weights by the names that files use.
pub(crate) fn named(shadows: &EmaWeights) -> BTreeMap<String, Tensor> {
    let mut averaged = BTreeMap::new();
    for (network, shadows) in shadows {
        checkpoint::put(&mut averaged, prefix(*network), shadows);
    }
    averaged
}

/// All weights of a trained model.
pub(crate) struct Trained {
    /// Architecture of the networks.
    pub spec: Spec,
    /// Weights by name.
    pub weights: BTreeMap<String, Tensor>,
    /// Number of training steps so far.
    pub step: u64,
}

impl Trained {
    /// Reads the folder of a model.
    ///
    /// # Errors
    /// Returns an error if its files cannot be read or are damaged.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("networks.safetensors");
        let (weights, config) = file::load(&path)?;
        let step = config["step"].as_u64();
        let step = step.with_context(|| format!("`{}` does not contain its step", path.display()))?;
        Ok(Self { spec: spec(&config, &path)?, weights, step })
    }
}

fn spec(config: &Value, path: &Path) -> Result<Spec> {
    Spec::deserialize(&config["spec"])
        .with_context(|| format!("`{}` does not describe its networks", path.display()))
}

impl Model {
    /// Loads E and G on the CPU, from the folder of a trained model.
    ///
    /// # Errors
    /// Returns an error if the model is damaged or incomplete.
    pub(crate) fn trained(folder: &Path, weights: Weights) -> Result<Self> {
        Self::from_file(&folder.join(weights.file()), Compute::CPU)
    }

    /// Loads E and G from a file of a trained model, or their averaged weights from a checkpoint.
    ///
    /// # Errors
    /// Returns an error if the file is damaged or incomplete, or does not contain a trained model.
    pub(crate) fn from_file(path: &Path, compute: Compute) -> Result<Self> {
        let (mut weights, config) = file::load(path)?;
        let is_checkpoint = !config[NETWORK].is_null();
        if is_checkpoint {
            // The averaged weights of a checkpoint are those that are used after training.
            weights = weights
                .into_iter()
                .filter_map(|(name, tensor)| Some((name.strip_prefix(AVERAGED)?.to_owned(), tensor)))
                .collect();
        }
        let spec =
            Spec::deserialize(&config[if is_checkpoint { NETWORK } else { "spec" }]).map_err(|_| {
                user_error(
                    format!("`{}` is neither a trained model nor a checkpoint", path.display()),
                    "name a folder that train_generator wrote, a file in this folder, or a checkpoint \
                     step-*.safetensors",
                )
            })?;
        let model = Self::new(&spec, compute);
        model.load(&weights, |network| USED.contains(&network))?;
        Ok(model)
    }

    /// Replaces the weights of E and G by averages.
    ///
    /// # Errors
    /// Returns an error if the averages belong to other networks.
    pub(crate) fn take(&self, shadows: &EmaWeights) -> Result<()> {
        shadows.iter().try_for_each(|(network, shadows)| self.vars(*network).load(shadows, ""))
    }

    /// Overwrites the weights of the networks for which `wanted` returns true.
    ///
    /// # Errors
    /// Returns an error if a tensor is missing or has another shape.
    pub(crate) fn load(
        &self,
        weights: &BTreeMap<String, Tensor>,
        wanted: impl Fn(Network) -> bool,
    ) -> Result<()> {
        let mut wanted = self.vars.iter().filter(|(network, _)| wanted(**network));
        wanted.try_for_each(|(network, vars)| vars.load(weights, prefix(*network)))
    }

    /// All weights by name.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor> {
        let mut all = BTreeMap::new();
        for (network, vars) in &self.vars {
            checkpoint::put(&mut all, prefix(*network), vars.named());
        }
        all
    }

    /// Writes the folder of the model.
    ///
    /// # Errors
    /// Returns an error if a weight is not finite, or a file cannot be written.
    pub(crate) fn save(
        &self,
        folder: &Path,
        objective: &Objective,
        step: u64,
        (shadows, best): (&EmaWeights, &Best),
        labels: &[String],
    ) -> Result<()> {
        let config: Value = json!({
            "spec": self.spec, "objective": objective, "step": step, "best": best.config(), "labels": labels,
        });
        let (all, averaged) = (self.tensors(), named(shadows));
        let files = [
            ("networks.safetensors", &all),
            (Weights::Last.file(), &averaged),
            (Weights::Best.file(), best.weights()),
        ];
        file::save_model(folder, &files, &config)
    }
}
