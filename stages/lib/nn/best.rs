//! Best weights of a training: those with the lowest loss on a fixed set. They are part of each checkpoint.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tch::Tensor;

use super::checkpoint::{self, State};

/// Prefixes of the names in a checkpoint.
const PREFIX: &str = "best.";
const STEP: &str = "best_step";
const LOSS: &str = "best_loss";

/// Weights with the lowest loss so far.
pub(crate) struct Best {
    weights: State,
    step: u64,
    /// `f32::MAX` before the first measurement: tensors of a checkpoint are finite.
    loss: f32,
}

impl Best {
    /// Returns weights that any measurement replaces.
    pub(crate) fn new(weights: &State) -> Self {
        Self { weights: copies(weights), step: 0, loss: f32::MAX }
    }

    /// Keeps a copy of the weights after `step` if their loss is lower than that of all earlier ones. A loss that is not
    /// finite is not lower.
    pub(crate) fn offer(&mut self, step: u64, loss: f64, weights: &State) {
        if (loss as f32) < self.loss {
            *self = Self { weights: copies(weights), step, loss: loss as f32 };
        }
    }

    /// Weights by name.
    pub(crate) fn weights(&self) -> &State {
        &self.weights
    }

    /// Returns true if a loss was measured.
    pub(crate) fn is_measured(&self) -> bool {
        self.loss < f32::MAX
    }

    /// Message about the weights: `best.safetensors has the weights after step 20, with the lowest loss on ..: 0.1234`.
    pub(crate) fn message(&self, set: &str) -> String {
        format!(
            "best.safetensors has the weights after step {}, with the lowest loss on {set}: {:.4}",
            self.step, self.loss
        )
    }

    /// Step and loss of the weights, for the configuration of their file; null without a measurement.
    pub(crate) fn config(&self) -> Value {
        if self.is_measured() { json!({ "step": self.step, "loss": self.loss }) } else { Value::Null }
    }

    /// Adds the weights, their step and their loss to a checkpoint.
    pub(crate) fn put(&self, all: &mut State) {
        checkpoint::put(all, PREFIX, &self.weights);
        // A float32 represents steps up to 16 million exactly.
        all.insert(STEP.to_owned(), Tensor::from_slice(&[self.step as f32]));
        all.insert(LOSS.to_owned(), Tensor::from_slice(&[self.loss]));
    }

    /// Restores the weights from a checkpoint.
    ///
    /// # Errors
    /// Returns an error if the checkpoint lacks them.
    pub(crate) fn restore(&mut self, saved: &State) -> Result<()> {
        let number = |name: &str| {
            let tensor = saved.get(name).with_context(|| format!("the checkpoint has no `{name}`"))?;
            Ok::<f64, anyhow::Error>(tensor.double_value(&[0]))
        };
        (self.step, self.loss) = (number(STEP)? as u64, number(LOSS)? as f32);
        checkpoint::restore(&mut self.weights, saved, PREFIX);
        Ok(())
    }
}

fn copies(weights: &State) -> State {
    weights.iter().map(|(name, tensor)| (name.clone(), tensor.detach().copy())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(value: f32) -> State {
        State::from([("w".to_owned(), Tensor::from_slice(&[value]))])
    }

    #[test]
    fn the_lowest_finite_loss_is_kept_and_survives_a_checkpoint() {
        let mut best = Best::new(&weights(0.0));
        assert_eq!(best.config(), Value::Null);
        let now = weights(1.0);
        best.offer(10, 0.5, &now);
        let _ = now["w"].shallow_clone().fill_(7.0);
        for (step, loss) in [(20, 0.5), (30, f64::NAN), (40, 0.6), (50, f64::INFINITY)] {
            best.offer(step, loss, &weights(2.0));
        }
        assert_eq!(best.config(), json!({ "step": 10, "loss": 0.5 }));
        let mut saved = State::new();
        best.put(&mut saved);
        let mut again = Best::new(&weights(3.0));
        again.restore(&saved).expect("restored");
        assert_eq!(again.config(), best.config());
        assert_eq!(again.weights()["w"].double_value(&[0]), 1.0, "a copy, which later steps do not change");
        assert!(again.restore(&State::new()).is_err());
    }
}
