//! Order of values in memory.

use tch::Tensor;

/// The same values with channels last in memory, as CPUs convolve them fastest.
pub(crate) fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}
