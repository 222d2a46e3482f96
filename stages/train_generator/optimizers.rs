//! An Adam for every network that an optimizer of the objective updates.

use std::collections::BTreeMap;

use tch::Tensor;

use super::losses::{Value, total};
use crate::model::{Model, prefix};
use crate::nn::adam::{Adam, Betas};
use crate::nn::checkpoint;
use crate::objective::{Network, Objective, Term};

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

    /// One step: all gradients come from the terms' one forward pass, and only then is anything updated.
    /// `rate` is the factor on the learning rates of what updates a network. Returns what each optimizer
    /// minimised.
    pub fn step(
        &mut self,
        model: &Model,
        objective: &Objective,
        values: &BTreeMap<Term, Value>,
        rate: impl Fn(Network) -> f64,
    ) -> Vec<(String, Tensor)> {
        let mut updates = Vec::new();
        let mut totals = Vec::new();
        for (at, (name, optimizer)) in objective.optimizers.iter().enumerate() {
            let minimised = total(optimizer, objective.gan_mean, values);
            let networks =
                || optimizer.updates.iter().map(|network| (*network, model.vars(*network).tensors()));
            let all: Vec<&Tensor> = networks().flat_map(|(_, tensors)| tensors).collect();
            let keep_graph = at + 1 < objective.optimizers.len();
            let mut gradients = Tensor::run_backward(&[&minimised], &all, keep_graph, false).into_iter();
            for (network, tensors) in networks() {
                let own: Vec<Tensor> = gradients.by_ref().take(tensors.len()).collect();
                updates.push((name.clone(), network, own, optimizer.learning_rate));
            }
            totals.push((name.clone(), minimised));
        }
        for (name, network, gradients, learning_rate) in updates {
            let vars = [(prefix(network), model.vars(network))];
            let Some(adam) = self.0.get_mut(&(name, network)) else {
                unreachable!("an optimizer of another objective")
            };
            adam.step(&vars, &gradients, learning_rate * rate(network));
        }
        totals
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
