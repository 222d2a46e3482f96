//! An Adam for every network that an optimizer of the objective updates.

use std::collections::BTreeMap;

use tch::Tensor;

use super::gradients::Gradients;
use super::lanes::Lanes;
use crate::model::{Model, prefix};
use crate::nn::adam::{Adam, Betas, Update};
use crate::nn::checkpoint;
use crate::objective::{Network, Objective};

/// By optimizer and network.
pub struct Optimizers(BTreeMap<(String, Network), Adam>);

impl Optimizers {
    /// Moments of zero.
    pub fn new(model: &Model, objective: &Objective) -> Self {
        let mut adams = BTreeMap::new();
        for (name, optimizer) in &objective.optimizers {
            let betas = Betas { first: optimizer.betas[0], second: optimizer.betas[1] };
            for network in &optimizer.updates {
                let vars = [(prefix(*network), model.vars(*network))];
                adams.insert((name.clone(), *network), Adam::new(&vars, betas));
            }
        }
        Self(adams)
    }

    /// Updates every network by the gradients of one forward pass. `rate` is the factor on the learning rates of what
    /// updates a network.
    pub fn update(
        &mut self,
        lanes: &Lanes,
        model: &Model,
        objective: &Objective,
        gradients: &Gradients,
        rate: impl Fn(Network) -> f64,
    ) {
        let mut updates = Vec::new();
        for ((name, network), gradients) in &gradients.by_network {
            let vars = [(prefix(*network), model.vars(*network))];
            let Some(adam) = self.0.get_mut(&(name.clone(), *network)) else {
                unreachable!("an optimizer of another objective")
            };
            let rate = objective.optimizers[name].learning_rate * rate(*network);
            updates.extend(adam.updates(&vars, gradients, rate));
        }
        lanes.each(updates, Update::make);
    }

    /// Adds the moments to a checkpoint.
    pub fn put(&self, all: &mut BTreeMap<String, Tensor>) {
        for ((name, network), adam) in &self.0 {
            checkpoint::put(all, &checkpoint_prefix(name, *network), &adam.state);
        }
    }

    /// Takes the moments from a checkpoint; `updates` were made since they were zero.
    pub fn take(&mut self, saved: &BTreeMap<String, Tensor>, updates: u64) {
        for ((name, network), adam) in &mut self.0 {
            checkpoint::restore(&mut adam.state, saved, &checkpoint_prefix(name, *network));
            adam.step = updates;
        }
    }
}

fn checkpoint_prefix(optimizer: &str, network: Network) -> String {
    format!("adam.{optimizer}.{}", prefix(network))
}
