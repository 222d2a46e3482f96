//! Layers with TF-SAME padding and equalized learning rates (Karras et al. 2018, section 4.1).

use tch::{Kind, Tensor};

use super::layout::channels_last;
use super::vars::Vars;

/// Slope of the leaky ReLU, and in most he constants.
pub(crate) const SLOPE: f64 = 0.2;

/// Numbers of zeros before and after an axis of length `n`, for kernel `k` and stride `s`. The smaller number
/// comes first.
pub(crate) fn same_padding(n: i64, k: i64, s: i64) -> (i64, i64) {
    let total = (((n + s - 1) / s - 1) * s + k - n).max(0);
    (total / 2, total - total / 2)
}

/// Convolution with TF-SAME padding. Its weights are scaled in each forward pass ("equalized learning rate"):
/// `y = c * conv(x, W) + b`, `c = sqrt(2 / ((1 + slope^2) * fan_in))`, W ~ N(0, 1) at first.
#[derive(Debug)]
pub(crate) struct HeConv {
    weight: Tensor,
    bias: Tensor,
    scale: f64,
    kernel: i64,
    stride: i64,
    computed_in: Kind,
}

impl HeConv {
    /// Creates a convolution from `inputs` to `outputs` channels, `kernel` x `kernel`, under `name` in
    /// `vars`.
    pub(crate) fn new(
        vars: &mut Vars,
        name: &str,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        stride: i64,
        slope: f64,
    ) -> Self {
        let weight = vars.normal(format!("{name}.weight"), &[outputs, inputs, kernel, kernel], 1.0);
        let bias = vars.constant(format!("{name}.bias"), &[outputs], 0.0);
        let scale = (2.0 / ((1.0 + slope * slope) * (inputs * kernel * kernel) as f64)).sqrt();
        Self { weight, bias, scale, kernel, stride, computed_in: vars.compute().kind }
    }

    /// Returns the layer computed in float32, regardless of the network's number format.
    pub(crate) fn exact(self) -> Self {
        Self { computed_in: Kind::Float, ..self }
    }

    /// [N, inputs, H, W] -> [N, outputs, ceil(H / stride), ceil(W / stride)], in the layer's number format.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        let (top, bottom) = same_padding(size[2], self.kernel, self.stride);
        let (left, right) = same_padding(size[3], self.kernel, self.stride);
        let [x, weight, bias] = self.cast(x, &(&self.weight * self.scale));
        let stride = [self.stride, self.stride];
        if (top, left) == (bottom, right) {
            return x.conv2d(&weight, Some(&bias), stride, [top, left], [1, 1], 1);
        }
        let padded = x.constant_pad_nd([left, right, top, bottom]);
        padded.conv2d(&weight, Some(&bias), stride, [0, 0], [1, 1], 1)
    }

    /// Computes `halve(forward(x))` of a 3 x 3 convolution at less than half of its cost.
    pub(crate) fn halved(&self, x: &Tensor) -> Tensor {
        let [x, weight, bias] = self.cast(x, &(halving(&self.weight) * self.scale));
        x.conv2d(&weight, Some(&bias), [2, 2], [1, 1], [1, 1], 1)
    }

    /// Computes `forward(double(x))` of a 3 x 3 convolution at less than half of its cost.
    pub(crate) fn doubled(&self, x: &Tensor) -> Tensor {
        // Four neighbours are copies of one pixel. A transposed convolution with flipped kernels adds up
        // their contributions directly.
        let weight = halving(&self.weight).flip([2, 3]).transpose(0, 1) * (4.0 * self.scale);
        let [x, weight, bias] = self.cast(x, &weight);
        x.conv_transpose2d(&weight, Some(&bias), [2, 2], [1, 1], [0, 0], 1, [1, 1])
    }

    /// Input, weight and bias in the layer's number format.
    fn cast(&self, x: &Tensor, weight: &Tensor) -> [Tensor; 3] {
        [x, weight, &self.bias].map(|tensor| tensor.to_kind(self.computed_in))
    }

    /// Constant that scales the weights.
    #[cfg(test)]
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }
}

/// Instance norm: biased variance, eps 1e-5, affine, no running statistics.
#[derive(Debug)]
pub(crate) struct InstanceNorm {
    weight: Tensor,
    bias: Tensor,
}

impl InstanceNorm {
    /// Creates a norm over `channels` channels, under `name` in `vars`.
    pub(crate) fn new(vars: &mut Vars, name: &str, channels: i64) -> Self {
        Self {
            weight: vars.constant(format!("{name}.weight"), &[channels], 1.0),
            bias: vars.constant(format!("{name}.bias"), &[channels], 0.0),
        }
    }

    /// Normalises features [N, C, H, W].
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        instance_norm(x, Some(&self.weight), Some(&self.bias))
    }
}

/// Normalises each channel of each image to mean 0 and variance 1, then multiplies by `weight` and adds
/// `bias`.
pub(crate) fn instance_norm(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Tensor {
    // A batch norm of each image is used, because libtorch's instance norm changes the memory layout, and its
    // group norm of single channels has slow gradients.
    let none = None::<&Tensor>;
    let norm = |image: Tensor| image.batch_norm(weight, bias, none, none, true, 0.0, 1e-5, false);
    Tensor::cat(&x.split(1, 0).into_iter().map(norm).collect::<Vec<_>>(), 0)
}

/// Computes `x / sqrt(mean over channels of x^2 + 1e-8)`.
pub(crate) fn pixel_norm(x: &Tensor) -> Tensor {
    x * (x.square().mean_dim(1, true, Kind::Float) + 1e-8).rsqrt().to_kind(x.kind())
}

/// Leaky ReLU with slope 0.2.
pub(crate) fn lrelu(x: &Tensor) -> Tensor {
    // tch's leaky_relu has no argument for the slope, but the function for its gradient has one. That
    // function multiplies a tensor by 1 or the slope, depending on the sign of x. Applied to x itself, it
    // computes the leaky ReLU and has its gradient.
    x.detach().leaky_relu_backward(x, SLOPE, false)
}

/// Kernels [.., 3, 3] -> [.., 4, 4]. With stride 2, the new kernels compute the means over 2 x 2 outputs of
/// the old ones (the fused downscaling of Karras et al. 2018, appendix A).
pub(crate) fn halving(weight: &Tensor) -> Tensor {
    weight.avg_pool2d([2, 2], [1, 1], [1, 1], false, true, None::<i64>)
}

/// Averages blocks of 2 x 2 pixels.
pub(crate) fn halve(x: &Tensor) -> Tensor {
    x.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None::<i64>)
}

/// Repeats a style code [N, D] at every position: [N, D, height, width].
pub(crate) fn tile(z: &Tensor, height: i64, width: i64) -> Tensor {
    let [n, dim] = [z.size()[0], z.size()[1]];
    channels_last(&z.unsqueeze(2).unsqueeze(3).expand([n, dim, height, width], false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_smaller_half_first() {
        assert_eq!(same_padding(256, 3, 2), (0, 1));
        assert_eq!(same_padding(32, 4, 1), (1, 2));
        assert_eq!(same_padding(256, 4, 2), (1, 1));
        assert_eq!(same_padding(256, 7, 1), (3, 3));
        assert_eq!(same_padding(7, 3, 2), (1, 1));
    }

    #[test]
    fn he_constants_are_those_of_the_specification() {
        let mut vars = Vars::default();
        let scale = |vars: &mut Vars, inputs, kernel, slope| {
            HeConv::new(vars, "c", inputs, 1, kernel, 1, slope).scale()
        };
        for (inputs, kernel, slope, wanted) in [
            (3, 4, 0.2, 0.20016),
            (64, 3, 1.0, 0.041_667),
            (3, 7, 0.2, 0.11438),
            (256, 3, 1.0, 0.020_833),
            (264, 3, 1.0, 0.020_515),
            (528, 3, 0.2, 0.020_117),
            (72, 1, 0.2, 0.16343),
            (6, 4, 0.2, 0.14153),
        ] {
            let found = scale(&mut vars, inputs, kernel, slope);
            assert!((found - wanted).abs() < 1e-5, "{inputs}x{kernel}: {found}, not {wanted}");
        }
    }

    #[test]
    fn a_convolution_fused_with_resizing_equals_the_two_steps() {
        let float = (Kind::Float, tch::Device::Cpu);
        let mut vars = Vars::default();
        let conv = HeConv::new(&mut vars, "c", 5, 7, 3, 1, 0.2);
        let x = Tensor::randn([2, 5, 6, 8], float);
        let close = |found: Tensor, wanted: Tensor| {
            assert_eq!(found.size(), wanted.size());
            assert!((found - wanted).abs().max().double_value(&[]) < 1e-5);
        };
        close(conv.halved(&x), halve(&conv.forward(&x)));
        close(conv.doubled(&x), conv.forward(&x.upsample_nearest2d([12, 16], None::<f64>, None::<f64>)));
        let odd = Tensor::randn([1, 5, 7, 5], float);
        close(conv.halved(&odd), halve(&conv.forward(&odd)));
    }

    #[test]
    fn norms_and_resizing_follow_their_definitions() {
        let x = Tensor::from_slice(&[3f32, 4.0]).view([1, 2, 1, 1]);
        let norm: Vec<f32> = pixel_norm(&x).view([2]).try_into().expect("floats");
        assert!((norm[0] - 3.0 / 12.5f32.sqrt()).abs() < 1e-6);
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0, 6.0]).view([1, 1, 2, 2]);
        assert_eq!(halve(&x).double_value(&[0, 0, 0, 0]), 3.0);
        assert_eq!(lrelu(&Tensor::from_slice(&[-1f32])).double_value(&[0]), f64::from(-0.2f32));
    }
}
