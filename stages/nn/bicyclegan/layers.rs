//! Layers that the three networks share.

use tch::Tensor;

use crate::nn::vars::Vars;

/// Gain of the xavier weights.
const GAIN: f64 = 0.02;

/// A convolution with bias, or a transposed one.
#[derive(Debug)]
pub struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv {
    /// `inputs` -> `outputs` channels, `kernel` x `kernel`.
    pub fn new(
        vars: &mut Vars,
        name: &str,
        [inputs, outputs]: [i64; 2],
        kernel: i64,
        stride: i64,
        padding: i64,
    ) -> Self {
        let weight = xavier(vars, name, &[outputs, inputs, kernel, kernel]);
        let bias = vars.constant(format!("{name}.bias"), &[outputs], 0.0);
        Self { weight, bias, stride, padding }
    }

    /// One that doubles the sides: 4 x 4, stride 2; for [`Self::transposed`].
    pub fn doubling(vars: &mut Vars, name: &str, [inputs, outputs]: [i64; 2]) -> Self {
        let weight = xavier(vars, name, &[inputs, outputs, 4, 4]);
        let bias = vars.constant(format!("{name}.bias"), &[outputs], 0.0);
        Self { weight, bias, stride: 2, padding: 1 }
    }

    /// [N, inputs, H, W] -> [N, outputs, (H + 2 padding - kernel) / stride + 1, the same of W].
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        x.conv2d(&self.weight, Some(&self.bias), stride, padding, [1, 1], 1)
    }

    /// [N, inputs, H, W] -> [N, outputs, 2 H, 2 W].
    pub fn transposed(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        x.conv_transpose2d(&self.weight, Some(&self.bias), stride, padding, [0, 0], 1, [1, 1])
    }
}

/// N(0, gain^2 2 / (fan_in + fan_out)) (Glorot and Bengio 2010) under `NAME.weight`.
pub fn xavier(vars: &mut Vars, name: &str, shape: &[i64]) -> Tensor {
    let field: i64 = shape[2..].iter().product();
    let fans = (shape[0] + shape[1]) * field;
    vars.normal(format!("{name}.weight"), shape, GAIN * (2.0 / fans as f64).sqrt())
}

/// Instance norm without weights: eps 1e-5. A single pixel is its own mean and becomes 0.
pub fn norm(x: &Tensor) -> Tensor {
    let none = None::<&Tensor>;
    let size = x.size();
    if size[2] * size[3] == 1 {
        return x * 0.0;
    }
    x.instance_norm(none, none, none, none, true, 0.0, 1e-5, false)
}
