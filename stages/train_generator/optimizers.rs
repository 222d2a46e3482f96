//! Adam optimizers: one for every network that an optimizer of the objective updates.

use std::collections::BTreeMap;

use tch::Tensor;

use super::gradients::Gradients;
use super::lanes::Lanes;
use crate::lib::model::{Model, prefix};
use crate::lib::nn::adam::{Adam, Betas, Update};
use crate::lib::nn::checkpoint;
use crate::lib::objective::{Network, Objective};

/// Adam optimizers by the objective's optimizer and network.
pub(super) struct Optimizers(BTreeMap<(String, Network), Adam>);

impl Optimizers {
    /// Creates the optimizers with moments of zero.
    pub(super) fn new(model: &Model, objective: &Objective) -> Self {
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

    /// Updates every network by the gradients of one forward pass. `rate` returns the factor on the learning
    /// rates of a network.
    pub(super) fn update(
        &mut self,
        lanes: &Lanes,
        model: &Model,
        objective: &Objective,
        gradients: &Gradients,
        rate: impl Fn(Network) -> f64,
    ) {
        // If two optimizers update one tensor, the updates are applied one after the other.
        let mut by_tensor: BTreeMap<String, Vec<Update>> = BTreeMap::new();
        for ((name, network), gradients) in &gradients.by_network {
            let vars = [(prefix(*network), model.vars(*network))];
            let Some(adam) = self.0.get_mut(&(name.clone(), *network)) else {
                unreachable!("an optimizer of another objective")
            };
            let rate = objective.optimizers[name].learning_rate * rate(*network);
            for update in adam.updates(&vars, gradients, rate) {
                by_tensor.entry(update.name.clone()).or_default().push(update);
            }
        }
        let sized = by_tensor.into_values().map(|updates| (updates.iter().map(Update::size).sum(), updates));
        lanes.each(sized.collect(), |updates| updates.into_iter().for_each(Update::make));
    }

    /// Adds the moments to a checkpoint.
    pub(super) fn put(&self, all: &mut BTreeMap<String, Tensor>) {
        for ((name, network), adam) in &self.0 {
            checkpoint::put(all, &checkpoint_prefix(name, *network), &adam.state);
        }
    }

    /// Restores the moments from a checkpoint; `updates` is the number of updates since they were zero.
    pub(super) fn take(&mut self, saved: &BTreeMap<String, Tensor>, updates: u64) {
        for ((name, network), adam) in &mut self.0 {
            checkpoint::restore(&mut adam.state, saved, &checkpoint_prefix(name, *network));
            adam.step = updates;
        }
    }
}

fn checkpoint_prefix(optimizer: &str, network: Network) -> String {
    format!("adam.{optimizer}.{}", prefix(network))
}
