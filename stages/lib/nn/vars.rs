//! Named trainable tensors, sorted by name.

use std::collections::BTreeMap;

use anyhow::Result;
use callsheet_worker::user_error;
use tch::{Device, Kind, Tensor, no_grad};

use super::compute::Compute;
use super::layout::channels_last;

/// Parameters of one network.
#[derive(Debug)]
pub(crate) struct Vars {
    named: BTreeMap<String, Tensor>,
    compute: Compute,
}

impl Default for Vars {
    fn default() -> Self {
        Self::on(Compute::CPU)
    }
}

impl Vars {
    /// Creates an empty set of parameters for a network with this device and number format.
    pub(crate) fn on(compute: Compute) -> Self {
        Self { named: BTreeMap::new(), compute }
    }

    /// Device and number format of the network's computations. Parameters are float32.
    pub(crate) fn compute(&self) -> Compute {
        self.compute
    }

    /// Adds a tensor drawn from N(0, std^2). libtorch's CPU generator draws it, so that its values do not
    /// depend on the device. The caller seeds the generator.
    pub(crate) fn normal(&mut self, name: String, shape: &[i64], std: f64) -> Tensor {
        let tensor = Tensor::randn(shape, (Kind::Float, Device::Cpu)) * std;
        self.add(name, tensor)
    }

    /// Adds a tensor in which all elements are `value`.
    pub(crate) fn constant(&mut self, name: String, shape: &[i64], value: f64) -> Tensor {
        self.add(name, Tensor::full(shape, value, (Kind::Float, Device::Cpu)))
    }

    /// Adds a tensor, and returns another handle to it. Kernels of convolutions get channels last in memory.
    pub(crate) fn add(&mut self, name: String, tensor: Tensor) -> Tensor {
        let tensor = if tensor.dim() == 4 { channels_last(&tensor) } else { tensor };
        let tensor = tensor.detach().to_device(self.compute.device).set_requires_grad(true);
        let shared = tensor.shallow_clone();
        self.named.insert(name, tensor);
        shared
    }

    /// Tensors by name.
    pub(crate) fn named(&self) -> &BTreeMap<String, Tensor> {
        &self.named
    }

    /// Tensors in the order of their names.
    pub(crate) fn tensors(&self) -> Vec<&Tensor> {
        self.named.values().collect()
    }

    /// Number of values in all tensors.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.named.values().map(Tensor::numel).sum()
    }

    /// Detached copies of the tensors, by name.
    pub(crate) fn copies(&self) -> BTreeMap<String, Tensor> {
        self.named.iter().map(|(name, tensor)| (name.clone(), tensor.detach().copy())).collect()
    }

    /// Overwrites the tensors with those under `prefix` in `from`.
    ///
    /// # Errors
    /// Returns an error if a tensor is missing or has another shape. Nothing is overwritten in this case.
    pub(crate) fn load(&self, from: &BTreeMap<String, Tensor>, prefix: &str) -> Result<()> {
        let mut pairs = Vec::with_capacity(self.named.len());
        for (name, tensor) in &self.named {
            let full = format!("{prefix}{name}");
            let Some(value) = from.get(&full) else {
                let help = "use weights of this network that were trained with the same nf";
                return Err(user_error(format!("the weights have no tensor `{full}`"), help));
            };
            if value.size() != tensor.size() {
                return Err(user_error(
                    format!("`{full}` has shape {:?} instead of {:?}", value.size(), tensor.size()),
                    "set nf to the width with which the weights were trained",
                ));
            }
            pairs.push((tensor, value));
        }
        no_grad(|| {
            for (tensor, value) in pairs {
                tensor.shallow_clone().copy_(value);
            }
        });
        Ok(())
    }
}

/// Pairs of a moving average and its tensor, in the order of their names.
pub(crate) fn ema_pairs(shadows: &BTreeMap<String, Tensor>, vars: &Vars) -> Vec<(Tensor, Tensor)> {
    let pair = |(name, tensor): (&String, &Tensor)| {
        Some((shadows.get(name)?.shallow_clone(), tensor.shallow_clone()))
    };
    vars.named().iter().filter_map(pair).collect()
}

/// Moves an exponential moving average a step towards its tensor: `s += (1 - decay) * (v - s)`.
pub(crate) fn update_ema((mut shadow, tensor): (Tensor, Tensor), decay: f64) {
    let _ = no_grad(|| shadow.lerp_(&tensor, 1.0 - decay));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_follow_the_closed_form() {
        let mut vars = Vars::default();
        let p = vars.add("p".into(), Tensor::from_slice(&[2.0f32]));
        let shadows = vars.copies();
        let mut wanted = 2.0f64;
        for value in [3.0f64, -1.0, 0.5] {
            no_grad(|| p.shallow_clone().copy_(&Tensor::from_slice(&[value as f32])));
            ema_pairs(&shadows, &vars).into_iter().for_each(|pair| update_ema(pair, 0.9));
            wanted = 0.9 * wanted + 0.1 * value;
            assert!((shadows["p"].double_value(&[0]) - wanted).abs() < 1e-6);
        }
    }
}
