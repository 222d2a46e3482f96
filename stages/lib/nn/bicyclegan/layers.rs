//! Layers that the three networks of BicycleGAN share.

use tch::{Kind, Tensor};

use crate::lib::nn::layers::{halving, instance_norm};
use crate::lib::nn::vars::Vars;

/// Gain of the xavier weights.
const GAIN: f64 = 0.02;

/// Convolution, or transposed convolution, with bias.
#[derive(Debug)]
pub(super) struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
    computed_in: Kind,
}

impl Conv {
    /// Creates a convolution from `inputs` to `outputs` channels, `kernel` x `kernel`.
    pub(super) fn new(
        vars: &mut Vars,
        name: &str,
        [inputs, outputs]: [i64; 2],
        kernel: i64,
        stride: i64,
        padding: i64,
    ) -> Self {
        let weight = xavier(vars, name, &[outputs, inputs, kernel, kernel]);
        let bias = vars.constant(format!("{name}.bias"), &[outputs], 0.0);
        Self { weight, bias, stride, padding, computed_in: vars.compute().kind }
    }

    /// Creates a transposed convolution that doubles the sides (4 x 4, stride 2), for [`Self::transposed`].
    pub(super) fn doubling(vars: &mut Vars, name: &str, [inputs, outputs]: [i64; 2]) -> Self {
        let weight = xavier(vars, name, &[inputs, outputs, 4, 4]);
        let bias = vars.constant(format!("{name}.bias"), &[outputs], 0.0);
        Self { weight, bias, stride: 2, padding: 1, computed_in: vars.compute().kind }
    }

    /// Returns the layer computed in float32, regardless of the network's number format.
    pub(super) fn exact(self) -> Self {
        Self { computed_in: Kind::Float, ..self }
    }

    /// [N, inputs, H, W] -> [N, outputs, H', W'] with `H' = (H + 2 padding - kernel) / stride + 1`; W' is
    /// analogous.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        let [x, weight, bias] = self.cast(x, &self.weight);
        x.conv2d(&weight, Some(&bias), stride, padding, [1, 1], 1)
    }

    /// Means over 2 x 2 outputs of a 3 x 3 convolution, at less than half of its cost: [N, inputs, H, W] ->
    /// [N, outputs, H / 2, W / 2].
    pub(super) fn halved(&self, x: &Tensor) -> Tensor {
        // The kernels are averaged before they are rounded to the number format.
        let [x, weight, bias] = self.cast(x, &halving(&self.weight));
        x.conv2d(&weight, Some(&bias), [2, 2], [1, 1], [1, 1], 1)
    }

    /// Transposed convolution: [N, inputs, H, W] -> [N, outputs, 2 H, 2 W].
    pub(super) fn transposed(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        let [x, weight, bias] = self.cast(x, &self.weight);
        x.conv_transpose2d(&weight, Some(&bias), stride, padding, [0, 0], 1, [1, 1])
    }

    /// Input, weight and bias in the layer's number format.
    fn cast(&self, x: &Tensor, weight: &Tensor) -> [Tensor; 3] {
        [x, weight, &self.bias].map(|tensor| tensor.to_kind(self.computed_in))
    }
}

/// Adds a tensor `NAME.weight` drawn from N(0, gain^2 2 / (fan_in + fan_out)) (Glorot and Bengio 2010).
pub(super) fn xavier(vars: &mut Vars, name: &str, shape: &[i64]) -> Tensor {
    let field: i64 = shape[2..].iter().product();
    let fans = (shape[0] + shape[1]) * field;
    vars.normal(format!("{name}.weight"), shape, GAIN * (2.0 / fans as f64).sqrt())
}

/// Instance norm without weights, eps 1e-5. A single pixel equals its mean and becomes 0.
pub(super) fn norm(x: &Tensor) -> Tensor {
    let size = x.size();
    if size[2] * size[3] == 1 {
        return x * 0.0;
    }
    instance_norm(x, None, None)
}
