//! Adam as in TensorFlow (Kingma and Ba 2015, end of section 2). It works on named tensors, so that its state
//! can be saved and two optimisers can own the same tensors.

use std::collections::BTreeMap;

use tch::{Tensor, no_grad};

use super::vars::Vars;

/// Decay rates of the moments. Epsilon is constant, and each step gets its learning rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Betas {
    /// Decay of the first moment.
    pub first: f64,
    /// Decay of the second moment.
    pub second: f64,
}

/// TensorFlow's "epsilon hat", which is added to the uncorrected root.
const EPSILON: f64 = 1e-8;

/// Optimiser with the moments of every tensor that it updates.
#[derive(Debug)]
pub(crate) struct Adam {
    betas: Betas,
    /// First and second moments, as `m.NAME` and `v.NAME`.
    pub state: BTreeMap<String, Tensor>,
    /// Number of updates.
    pub step: u64,
}

impl Adam {
    /// Creates moments of zero for the tensors of `vars`. `prefix` is put before their names.
    pub(crate) fn new(vars: &[(&str, &Vars)], betas: Betas) -> Self {
        let mut state = BTreeMap::new();
        for (prefix, vars) in vars {
            for (name, tensor) in vars.named() {
                state.insert(format!("m.{prefix}{name}"), tensor.zeros_like());
                state.insert(format!("v.{prefix}{name}"), tensor.zeros_like());
            }
        }
        Self { betas, state, step: 0 }
    }

    /// Updates all tensors. `gradients` are those of all tensors of `vars`, in order. A tensor that the loss
    /// does not depend on has an undefined gradient and is not changed.
    ///
    /// `p -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)`
    pub(crate) fn step(&mut self, vars: &[(&str, &Vars)], gradients: &[Tensor], learning_rate: f64) {
        self.updates(vars, gradients, learning_rate).into_iter().for_each(Update::make);
    }

    /// Prepares the updates of [`Self::step`], one for each tensor with a gradient. They are independent of
    /// each other.
    pub(crate) fn updates(
        &mut self,
        vars: &[(&str, &Vars)],
        gradients: &[Tensor],
        learning_rate: f64,
    ) -> Vec<Update> {
        self.step += 1;
        let Betas { first, second } = self.betas;
        let t = self.step as f64;
        let rate = learning_rate * (1.0 - second.powf(t)).sqrt() / (1.0 - first.powf(t));
        let all = vars.iter().flat_map(|(prefix, vars)| vars.named().iter().map(move |pair| (prefix, pair)));
        let reached = all.zip(gradients).filter(|(_, gradient)| gradient.defined());
        let update = |((prefix, (name, tensor)), gradient): ((&&str, (&String, &Tensor)), &Tensor)| Update {
            name: format!("{prefix}{name}"),
            tensor: tensor.shallow_clone(),
            m: self.state[&format!("m.{prefix}{name}")].shallow_clone(),
            v: self.state[&format!("v.{prefix}{name}")].shallow_clone(),
            gradient: gradient.shallow_clone(),
            betas: self.betas,
            rate,
        };
        reached.map(update).collect()
    }
}

/// Update of one tensor.
pub(crate) struct Update {
    /// Prefix and name of the tensor.
    pub name: String,
    tensor: Tensor,
    m: Tensor,
    v: Tensor,
    gradient: Tensor,
    betas: Betas,
    /// Learning rate with the corrections of both moments.
    rate: f64,
}

impl Update {
    /// Number of values of the tensor.
    pub(crate) fn size(&self) -> usize {
        self.tensor.numel()
    }

    /// Updates the tensor and its moments.
    pub(crate) fn make(self) {
        let Self { name: _, mut tensor, mut m, mut v, gradient, betas, rate } = self;
        no_grad(|| {
            let _ = m.lerp_(&gradient, 1.0 - betas.first);
            let _ = v.lerp_(&gradient.square(), 1.0 - betas.second);
            // The root is scaled by the rate, because tch's addcdiv_ has no factor. This saves one pass over
            // the tensor.
            let mut root = v.sqrt();
            let _ = root.g_add_scalar_(EPSILON);
            let _ = root.g_mul_scalar_(-1.0 / rate);
            let _ = tensor.addcdiv_(&m, &root);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_follow_the_closed_form() {
        for (first, second) in [(0.0f64, 0.99f64), (0.5, 0.999)] {
            let mut vars = Vars::default();
            let p = vars.add("p".into(), Tensor::from_slice(&[1.0f32]));
            let mut adam = Adam::new(&[("", &vars)], Betas { first, second });
            let (mut wanted, mut m, mut v) = (1.0f64, 0.0f64, 0.0f64);
            for (t, gradient) in (1..).zip([0.5f64, -2.0, 0.1]) {
                adam.step(&[("", &vars)], &[Tensor::from_slice(&[gradient as f32])], 0.001);
                m = first * m + (1.0 - first) * gradient;
                v = second * v + (1.0 - second) * gradient * gradient;
                let rate = 0.001 * (1.0 - second.powi(t)).sqrt() / (1.0 - first.powi(t));
                wanted -= rate * m / (v.sqrt() + 1e-8);
                assert!((p.double_value(&[0]) - wanted).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_rate_of_zero_changes_nothing() {
        let mut vars = Vars::default();
        let p = vars.add("p".into(), Tensor::from_slice(&[1.0f32, 2.0]));
        let mut adam = Adam::new(&[("", &vars)], Betas { first: 0.5, second: 0.999 });
        adam.step(&[("", &vars)], &[Tensor::from_slice(&[3.0f32, 0.0])], 0.0);
        assert_eq!(p, Tensor::from_slice(&[1.0f32, 2.0]));
    }

    #[test]
    fn a_tensor_without_a_gradient_stays() {
        let mut vars = Vars::default();
        let p = vars.add("p".into(), Tensor::from_slice(&[1.0f32]));
        let mut adam = Adam::new(&[("", &vars)], Betas { first: 0.0, second: 0.99 });
        adam.step(&[("", &vars)], &[Tensor::new()], 0.001);
        assert_eq!(p.double_value(&[0]), 1.0);
    }
}
