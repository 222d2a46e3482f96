//! Encoder, generator and discriminator with their weights, and how these are kept.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tch::{Tensor, no_grad};

use super::Shadows;
use crate::data::{normalised, quantised};
use crate::nn::discriminator::{Discriminator, scales_for};
use crate::nn::encoder::Encoder;
use crate::nn::generator::Generator;
use crate::nn::vars::Vars;
use crate::nn::{checkpoint, file};

/// The three networks.
pub struct Networks {
    /// Style encoder.
    pub e: Encoder,
    /// Generator.
    pub g: Generator,
    /// Discriminator.
    pub d: Discriminator,
    vars: [Vars; 3],
    widths: [i64; 2],
    scales: usize,
}

/// Prefixes of the three networks' tensors.
const PREFIXES: [&str; 3] = ["e.", "g.", "d."];

impl Networks {
    /// New G and D of width `nf` for images of `side` pixels; E from the folder of an encoder.
    ///
    /// # Errors
    /// When the encoder's file is damaged or incomplete.
    pub fn new(nf: i64, side: i64, encoder: &Path) -> Result<Self> {
        let (weights, config) = file::load(&encoder.join("encoder.safetensors"))?;
        let nf_e = width(&config, "nf")?;
        let nets = Self::build(nf_e, nf, scales_for(side));
        nets.vars[0].load(&weights, "")?;
        Ok(nets)
    }

    fn build(nf_e: i64, nf_g: i64, scales: usize) -> Self {
        let mut vars = [Vars::default(), Vars::default(), Vars::default()];
        let e = Encoder::new(&mut vars[0], nf_e);
        let g = Generator::new(&mut vars[1], nf_g);
        let d = Discriminator::new(&mut vars[2], nf_g, scales);
        Self { e, g, d, vars, widths: [nf_e, nf_g], scales }
    }

    /// E and G as they are used: with averaged weights, from the folder of a trained model.
    ///
    /// # Errors
    /// When the model is damaged or incomplete.
    pub fn averaged(folder: &Path) -> Result<Self> {
        let (weights, config) = file::load(&folder.join("averaged.safetensors"))?;
        let nets = Self::build(width(&config, "nf_e")?, width(&config, "nf")?, 1);
        nets.vars[0].load(&weights, PREFIXES[0])?;
        nets.vars[1].load(&weights, PREFIXES[1])?;
        Ok(nets)
    }

    /// G's outputs for contents `a` [N, 3, H, W] and codes [N, 8]: bytes, as they would be saved.
    pub fn outputs(&self, a: &Tensor, codes: &Tensor, batch: i64) -> Tensor {
        no_grad(|| {
            let parts = a.split(batch, 0).into_iter().zip(codes.split(batch, 0));
            let parts: Vec<Tensor> =
                parts.map(|(a, z)| quantised(&self.g.forward(&normalised(&a), &z))).collect();
            Tensor::cat(&parts, 0)
        })
    }

    /// Takes all weights from a trained model; returns the step it ended at.
    ///
    /// # Errors
    /// When the model is damaged or has another width.
    pub fn warm_start(&mut self, folder: &Path) -> Result<u64> {
        let (weights, config) = file::load(&folder.join("networks.safetensors"))?;
        self.load(&weights)?;
        config["step"].as_u64().context("the model does not say at which step it ended")
    }

    /// Overwrites all weights.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(&mut self, weights: &BTreeMap<String, Tensor>) -> Result<()> {
        self.vars.iter().zip(PREFIXES).try_for_each(|(vars, prefix)| vars.load(weights, prefix))
    }

    /// All weights by name.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let mut all = BTreeMap::new();
        for (vars, prefix) in self.vars.iter().zip(PREFIXES) {
            checkpoint::put(&mut all, prefix, vars.named());
        }
        all
    }

    /// E's prefix and weights.
    pub fn encoder(&self) -> (&'static str, &Vars) {
        (PREFIXES[0], &self.vars[0])
    }

    /// G's prefix and weights.
    pub fn generator(&self) -> (&'static str, &Vars) {
        (PREFIXES[1], &self.vars[1])
    }

    /// D's prefix and weights.
    pub fn discriminator(&self) -> (&'static str, &Vars) {
        (PREFIXES[2], &self.vars[2])
    }

    /// E's prefix and weights if it is `trained` along.
    pub fn encoder_if(&self, trained: bool) -> Option<(&'static str, &Vars)> {
        trained.then(|| self.encoder())
    }

    /// Averages of G and E that start from the weights as they are.
    pub fn shadows(&self) -> Shadows {
        [self.vars[1].copies(), self.vars[0].copies()]
    }

    /// Writes all weights (`networks.safetensors`), the averages (`averaged.safetensors`) and
    /// `config.json`.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn save(&self, folder: &Path, step: u64, shadows: &Shadows, labels: &[String]) -> Result<()> {
        let [nf_e, nf] = self.widths;
        let config = json!({
            "network": "encoder, generator, discriminator",
            "nf": nf, "nf_e": nf_e, "scales": self.scales, "step": step, "labels": labels,
        });
        let mut averaged = BTreeMap::new();
        checkpoint::put(&mut averaged, PREFIXES[1], &shadows[0]);
        checkpoint::put(&mut averaged, PREFIXES[0], &shadows[1]);
        let files = [("networks.safetensors", &self.tensors()), ("averaged.safetensors", &averaged)];
        file::save_model(folder, &files, &config)
    }
}

fn width(config: &Value, name: &str) -> Result<i64> {
    config[name].as_i64().with_context(|| format!("the weights do not say their `{name}`"))
}
