//! Mapper M: noise -> style code, as in StEP's program.

use std::path::Path;

use anyhow::Result;
use tch::{Device, Kind, Tensor};

use super::encoder::STYLE_DIM;
use super::file;
use super::vars::Vars;

const HIDDEN: i64 = 128;

/// Mapper M: layers 8 -> 128 -> 128 -> 128 -> 8, with tanh between them and a linear output.
#[derive(Debug)]
pub(crate) struct Mapper {
    layers: Vec<(Tensor, Tensor)>,
}

impl Mapper {
    /// Creates a mapper with Glorot-uniform weights from libtorch's generator and zero biases.
    pub(crate) fn new(vars: &mut Vars) -> Self {
        let widths = [STYLE_DIM, HIDDEN, HIDDEN, HIDDEN, STYLE_DIM];
        let layers = widths.windows(2).enumerate().map(|(n, w)| {
            let limit = (6.0 / (w[0] + w[1]) as f64).sqrt();
            let uniform = Tensor::rand([w[1], w[0]], (Kind::Float, Device::Cpu)) * (2.0 * limit) - limit;
            let weight = vars.add(format!("layer{n}.weight"), uniform);
            (weight, vars.constant(format!("layer{n}.bias"), &[w[1]], 0.0))
        });
        Self { layers: layers.collect() }
    }

    /// Loads the mapper that the stage fit_mapper wrote to `folder`.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, is damaged, or belongs to another network.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let (weights, _) = file::load(&folder.join("mapper.safetensors"))?;
        let mut vars = Vars::default();
        let mapper = Self::new(&mut vars);
        vars.load(&weights, "")?;
        Ok(mapper)
    }

    /// [N, 8] ~ N(0, I) -> [N, 8] style codes.
    pub(crate) fn forward(&self, noise: &Tensor) -> Tensor {
        let mut x = noise.shallow_clone();
        for (n, (weight, bias)) in self.layers.iter().enumerate() {
            x = x.linear(weight, Some(bias));
            if n + 1 < self.layers.len() {
                x = x.tanh();
            }
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_35_208_parameters() {
        let mut vars = Vars::default();
        Mapper::new(&mut vars);
        assert_eq!(vars.count(), 35_208);
    }
}
