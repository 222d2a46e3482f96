//! How networks are kept: all weights in `networks.safetensors`, the averages that are used in
//! `averaged.safetensors`, what they are built from in both and in `config.json`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::refusal;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::Tensor;

use super::{Model, Shadows, Spec, USED};
use crate::lib::nn::checkpoint::NETWORK;
use crate::lib::nn::compute::Compute;
use crate::lib::nn::{checkpoint, file};
use crate::lib::objective::{Network, Objective};

/// Before the names of a network's weights.
pub(crate) fn prefix(network: Network) -> &'static str {
    match network {
        Network::Encoder => "e.",
        Network::Generator => "g.",
        Network::Discriminator => "d.",
        Network::SecondDiscriminator => "d2.",
    }
}

/// Before the names of averages in a checkpoint, which are those of the weights.
pub(crate) const AVERAGED: &str = "average.";

/// All weights of a trained model.
pub(crate) struct Trained {
    /// Architecture of its networks.
    pub spec: Spec,
    /// By name.
    pub weights: BTreeMap<String, Tensor>,
    /// The step that it has come to.
    pub step: u64,
}

impl Trained {
    /// Reads the folder of a model.
    ///
    /// # Errors
    /// When it is damaged.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("networks.safetensors");
        let (weights, config) = file::load(&path)?;
        let step = config["step"].as_u64();
        let step = step.with_context(|| format!("{} does not say its step", path.display()))?;
        Ok(Self { spec: spec(&config, &path)?, weights, step })
    }
}

fn spec(config: &Value, path: &Path) -> Result<Spec> {
    Spec::deserialize(&config["spec"])
        .with_context(|| format!("{} does not say what its networks are built from", path.display()))
}

impl Model {
    /// E and G as they are used, on the CPUs: with averaged weights, from the folder of a trained model.
    ///
    /// # Errors
    /// When the model is damaged or incomplete.
    pub(crate) fn averaged(folder: &Path) -> Result<Self> {
        Self::from_file(&folder.join("averaged.safetensors"), Compute::CPU)
    }

    /// E and G as they are used, from a file of a trained model, or from a checkpoint alone.
    ///
    /// # Errors
    /// When it is damaged, incomplete, or of something else.
    pub(crate) fn from_file(path: &Path, compute: Compute) -> Result<Self> {
        let (mut weights, config) = file::load(path)?;
        let is_checkpoint = !config[NETWORK].is_null();
        if is_checkpoint {
            // Of a checkpoint it is the averages that are used.
            weights = weights
                .into_iter()
                .filter_map(|(name, tensor)| Some((name.strip_prefix(AVERAGED)?.to_owned(), tensor)))
                .collect();
        }
        let spec = Spec::deserialize(&config[if is_checkpoint { NETWORK } else { "spec" }]).map_err(|_| {
            refusal(
                format!("{} is no trained model, nor a checkpoint of one", path.display()),
                "name what train_generator made: its folder, a file in it, or a checkpoint step-*.safetensors",
            )
        })?;
        let model = Self::new(&spec, compute);
        model.load(&weights, |network| USED.contains(&network))?;
        Ok(model)
    }

    /// Takes averages in place of the weights of E and G.
    ///
    /// # Errors
    /// When they are of other networks.
    pub(crate) fn take(&self, shadows: &Shadows) -> Result<()> {
        shadows.iter().try_for_each(|(network, shadows)| self.vars(*network).load(shadows, ""))
    }

    /// Overwrites the weights of those networks that are `wanted`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
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

    /// Writes the model's folder.
    ///
    /// # Errors
    /// When the disk is full.
    pub(crate) fn save(
        &self,
        folder: &Path,
        objective: &Objective,
        step: u64,
        shadows: &Shadows,
        labels: &[String],
    ) -> Result<()> {
        let config: Value =
            json!({ "spec": self.spec, "objective": objective, "step": step, "labels": labels });
        let mut averaged = BTreeMap::new();
        for (network, shadows) in shadows {
            checkpoint::put(&mut averaged, prefix(*network), shadows);
        }
        let files = [("networks.safetensors", &self.tensors()), ("averaged.safetensors", &averaged)];
        file::save_model(folder, &files, &config)
    }
}
